"""Maintenance windows: tables for what people expect, and a minute-by-minute count for everything else."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from kraut_core.api.maintenance import Maintenance, MaintenanceExclusion, MaintenanceWindow
from kraut_core.errors import InvalidSpecError
from kraut_worker.planning.windows import Closed, Open, parse_duration, window_at

MINUTE = timedelta(minutes=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(start: str, duration: str, zone: str = "UTC") -> MaintenanceWindow:
    return MaintenanceWindow(start=start, duration=duration, time_zone=zone)


def freeze(start: str, end: str) -> MaintenanceExclusion:
    return MaintenanceExclusion(start=at(start), end=at(end))


NIGHTLY = window("0 2 * * *", "4h")

CASES = [
    ("no windows, no exclusions -> open for ever", [], [], "2026-03-02 12:00", Open(None)),
    (
        "no windows, an exclusion ahead -> open until it begins",
        [],
        [freeze("2026-03-05 00:00", "2026-03-06 00:00")],
        "2026-03-02 12:00",
        Open(at("2026-03-05 00:00")),
    ),
    (
        "no windows, within an exclusion -> closed until it ends",
        [],
        [freeze("2026-03-01 00:00", "2026-03-06 00:00")],
        "2026-03-02 12:00",
        Closed(at("2026-03-06 00:00")),
    ),
    ("the first moment of a window -> open", [NIGHTLY], [], "2026-03-02 02:00", Open(at("2026-03-02 06:00"))),
    ("the last second of a window -> open", [NIGHTLY], [], "2026-03-02 05:59:59", Open(at("2026-03-02 06:00"))),
    ("the first moment after a window -> closed", [NIGHTLY], [], "2026-03-02 06:00", Closed(at("2026-03-03 02:00"))),
    ("a second before a window -> closed", [NIGHTLY], [], "2026-03-02 01:59:59", Closed(at("2026-03-02 02:00"))),
    (
        "past midnight in a window that began yesterday -> open",
        [window("0 22 * * SAT", "6h")],
        [],
        "2026-03-08 03:00",
        Open(at("2026-03-08 04:00")),
    ),
    (
        "the first Sunday of the month -> closed until then",
        [window("0 3 * * SUN#1", "1h")],
        [],
        "2026-03-02 12:00",
        Closed(at("2026-04-05 03:00")),
    ),
    (
        "the last day of the month -> closed until then",
        [window("0 3 L * *", "1h")],
        [],
        "2026-03-02 12:00",
        Closed(at("2026-03-31 03:00")),
    ),
    (
        "two windows open at once -> open until the longer one ends",
        [NIGHTLY, window("0 1 * * *", "8h")],
        [],
        "2026-03-02 03:00",
        Open(at("2026-03-02 09:00")),
    ),
    (
        "a window every hour that stays open for two -> always open",
        [window("0 * * * *", "2h")],
        [],
        "2026-03-02 12:30",
        Open(at("2026-03-02 13:00")),
    ),
    (
        "an exclusion begins within the open window -> open until then",
        [NIGHTLY],
        [freeze("2026-03-02 04:00", "2026-03-02 12:00")],
        "2026-03-02 03:00",
        Open(at("2026-03-02 04:00")),
    ),
    (
        "an exclusion ends within the window -> closed until it ends",
        [NIGHTLY],
        [freeze("2026-03-01 00:00", "2026-03-02 04:00")],
        "2026-03-02 03:00",
        Closed(at("2026-03-02 04:00")),
    ),
    (
        "an exclusion covers the whole window -> closed until the next one",
        [NIGHTLY],
        [freeze("2026-03-02 00:00", "2026-03-02 06:00")],
        "2026-03-02 03:00",
        Closed(at("2026-03-03 02:00")),
    ),
    (
        "exclusions overlap and follow each other -> closed until all are over and a window opens",
        [NIGHTLY],
        [
            freeze("2026-03-04 00:00", "2026-03-05 00:00"),
            freeze("2026-03-02 00:00", "2026-03-03 12:00"),
            freeze("2026-03-03 00:00", "2026-03-04 00:00"),
        ],
        "2026-03-02 03:00",
        Closed(at("2026-03-05 02:00")),
    ),
    (
        "a freeze until the end of next year -> no window within a year",
        [NIGHTLY],
        [freeze("2026-03-01 00:00", "2028-01-01 00:00")],
        "2026-03-02 03:00",
        Closed(None),
    ),
    (
        "the 29th of February in two years -> no window within a year",
        [window("0 3 29 2 *", "1h")],
        [],
        "2026-03-02 12:00",
        Closed(None),
    ),
    (
        "two in the morning in Berlin in winter -> one in the morning in UTC",
        [window("0 2 * * *", "1h", "Europe/Berlin")],
        [],
        "2026-01-10 12:00",
        Closed(at("2026-01-11 01:00")),
    ),
    (
        "two in the morning in Berlin in summer -> midnight in UTC",
        [window("0 2 * * *", "1h", "Europe/Berlin")],
        [],
        "2026-07-10 12:00",
        Closed(at("2026-07-11 00:00")),
    ),
    (
        "Saturday night in Auckland -> Saturday morning in UTC",
        [window("0 22 * * SAT", "2h", "Pacific/Auckland")],
        [],
        "2026-07-10 12:00",
        Closed(at("2026-07-11 10:00")),
    ),
    (
        "half past two on the night that has none -> three o'clock summer time",
        [window("30 2 * * *", "1h", "Europe/Berlin")],
        [],
        "2026-03-29 00:00",
        Closed(at("2026-03-29 01:00")),
    ),
    (
        "half past two on the night that has two -> the first of them",
        [window("30 2 * * *", "1h", "Europe/Berlin")],
        [],
        "2026-10-24 12:00",
        Closed(at("2026-10-25 00:30")),
    ),
    (
        "four hours from one o'clock, clocks go forward meanwhile -> four hours",
        [window("0 1 * * *", "4h", "Europe/Berlin")],
        [],
        "2026-03-29 03:59",
        Open(at("2026-03-29 04:00")),
    ),
    (
        "and not a minute more -> closed",
        [window("0 1 * * *", "4h", "Europe/Berlin")],
        [],
        "2026-03-29 04:00",
        Closed(at("2026-03-29 23:00")),
    ),
    (
        "four hours from one o'clock, clocks go back meanwhile -> four hours",
        [window("0 1 * * *", "4h", "Europe/Berlin")],
        [],
        "2026-10-25 02:59",
        Open(at("2026-10-25 03:00")),
    ),
    (
        "and not five -> closed",
        [window("0 1 * * *", "4h", "Europe/Berlin")],
        [],
        "2026-10-25 03:00",
        Closed(at("2026-10-26 00:00")),
    ),
]


@pytest.mark.parametrize(
    ("windows", "exclusions", "now", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_window(windows, exclusions, now, expected):
    assert window_at(Maintenance(windows=windows, exclusions=exclusions), at(now)) == expected


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/St_Johns"])
def test_the_answer_does_not_depend_on_the_zone_of_the_question(zone):
    maintenance = Maintenance(windows=[NIGHTLY], exclusions=[freeze("2026-03-02 00:00", "2026-03-02 06:00")])
    now = at("2026-03-02 03:00")
    assert window_at(maintenance, now.astimezone(ZoneInfo(zone))) == window_at(maintenance, now)


def unchecked(start: str = "0 2 * * *", duration: str = "1h", zone: str = "UTC") -> Maintenance:
    """As an API server with other rules might have let it pass."""
    built = MaintenanceWindow.model_construct(start=start, duration=duration, time_zone=zone)
    return Maintenance.model_construct(windows=[built], exclusions=[])


@pytest.mark.parametrize(
    ("maintenance", "found"),
    [
        (unchecked(start="0 25 * * *"), "'0 25 * * *'"),
        (unchecked(start="0 3 30 2 *"), "'0 3 30 2 *'"),
        (unchecked(duration="soon"), "'soon'"),
        (unchecked(duration="0h"), "'0h'"),
        (unchecked(zone="Mars/Olympus"), "'Mars/Olympus'"),
        (unchecked(zone="../etc/passwd"), "'../etc/passwd'"),
        (unchecked(zone="Europe"), "'Europe'"),
    ],
)
def test_what_cannot_be_read_is_named_and_explained(maintenance, found):
    with pytest.raises(InvalidSpecError, match="write") as error:
        window_at(maintenance, at("2026-03-02 12:00"))
    assert found in error.value.message
    assert error.value.reason == "InvalidMaintenanceWindow"


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("4h", 240), ("90m", 90), ("1h30m", 90), ("1000h", 60_000), ("1m", 1), ("9999h9999m", 609_939)],
)
def test_duration(text, minutes):
    assert parse_duration(text) == timedelta(minutes=minutes)


# Properties: Open or Closed, and the next opening, against a count of every minute.

DAYS = 3
BEGIN = at("2026-03-02 00:00")
minutes_of_days = st.integers(min_value=0, max_value=DAYS * 1440).map(lambda n: BEGIN + n * MINUTE)
field = {
    "minute": st.sampled_from(["0", "17", "*/20", "30,45"]),
    "hour": st.sampled_from(["*", "0", "5,17", "8-11", "23"]),
    "weekday": st.sampled_from(["*", "MON", "2-3", "SUN"]),
}
crons = st.builds("{} {} * * {}".format, field["minute"], field["hour"], field["weekday"])
durations = st.integers(min_value=1, max_value=2000).map("{}m".format)
exclusions = st.builds(
    lambda start, length: MaintenanceExclusion(start=start, end=start + length * MINUTE),
    minutes_of_days,
    st.integers(min_value=1, max_value=2000),
)


def counted(text: str, low: int, high: int) -> set[int]:
    """The numbers a field stands for; written for these tests, knows nothing of cronsim."""
    names = {"SUN": "0", "MON": "1"}
    found: set[int] = set()
    for item in names.get(text, text).split(","):
        span, _, step = item.partition("/")
        first, _, last = (f"{low}-{high}" if span == "*" else span).partition("-")
        found |= set(range(int(first), int(last or first) + 1, int(step or 1)))
    return found


def starts_at(cron: str, moment: datetime) -> bool:
    minute, hour, _, _, weekday = cron.split()
    return (
        moment.minute in counted(minute, 0, 59)
        and moment.hour in counted(hour, 0, 23)
        and moment.isoweekday() % 7 in counted(weekday, 0, 6)
    )


def first_open_minute(maintenance: Maintenance, now: datetime, last: datetime) -> datetime | None:
    """The first minute from ``now`` on in which work may start, found by trying them all."""
    open_until = {window.start: BEGIN - timedelta(days=9) for window in maintenance.windows}
    moment = BEGIN - timedelta(days=2)
    while moment <= last:
        for window_ in maintenance.windows:
            if starts_at(window_.start, moment):
                open_until[window_.start] = max(open_until[window_.start], moment + parse_duration(window_.duration))
        is_open = not maintenance.windows or any(end > moment for end in open_until.values())
        if moment >= now and is_open and not any(e.start <= moment < e.end for e in maintenance.exclusions):
            return moment
        moment += MINUTE
    return None


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(crons, durations, max_size=3),
    st.lists(exclusions, max_size=4),
    minutes_of_days,
)
def test_every_minute_agrees(windows, exclusions, now):
    maintenance = Maintenance(
        windows=[window(start, duration) for start, duration in windows.items()], exclusions=exclusions
    )
    last = BEGIN + timedelta(days=DAYS + 2)
    expected = first_open_minute(maintenance, now, last)
    match window_at(maintenance, now):
        case Open(until):
            assert expected == now
            assert until is None or until > now
        case Closed(next_start):
            assert expected != now
            assert next_start == expected if expected else next_start is None or next_start > last


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["0 1 * * *", "30 2 * * *", "0 3 * * *", "0 */2 * * *", "15 * * * *"]),
    durations,
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Chatham"]),
    st.sampled_from(["2026-03-08", "2026-03-29", "2026-04-05", "2026-09-27", "2026-10-04", "2026-10-25", "2026-11-01"]),
    st.integers(min_value=0, max_value=2880),
)
def test_a_window_is_open_for_its_duration_from_each_start_whatever_the_clocks_do(start, duration, zone, day, minute):
    """The days are those on which the clocks of these zones change."""
    now = at(day) - timedelta(days=1) + minute * MINUTE
    length = parse_duration(duration)
    starts = CronSim(start, (now - timedelta(days=4)).astimezone(ZoneInfo(zone)))
    opened, upcoming = [], next(starts)
    while upcoming <= now:
        opened.append(upcoming.astimezone(UTC))
        upcoming = next(starts)
    answer = window_at(Maintenance(windows=[window(start, duration, zone)]), now)
    if any(now < one + length for one in opened):
        assert isinstance(answer, Open)
    else:
        assert answer == Closed(upcoming.astimezone(UTC))
