"""When disruptive work may start: maintenance windows and exclusions (pure)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from kraut_core.api.maintenance import Maintenance, MaintenanceExclusion, MaintenanceWindow
from kraut_core.errors import InvalidSpecError

HORIZON = timedelta(days=366)
"""How far ahead an opening is looked for; a window that does not open within a year is as good as none."""


@dataclass(frozen=True, slots=True)
class Open:
    """Work may start now; ``until`` is when the open window or the time before an exclusion ends, None when nothing does."""

    until: datetime | None


@dataclass(frozen=True, slots=True)
class Closed:
    """Work may not start now; ``next_start`` is when it may, None when that is not within a year."""

    next_start: datetime | None


def window_at(maintenance: Maintenance, now: datetime) -> Open | Closed:
    """Whether disruptive work may start at ``now`` (aware).

    Raises InvalidSpecError for a cron expression, duration or time zone that cannot be read.
    """
    moment = now
    for _ in range(2 * len(maintenance.exclusions) + 1):
        opening = _opening(maintenance.windows, moment)
        if opening is None:
            return Closed(None)
        start, end = opening
        if start - now > HORIZON:
            return Closed(None)
        exclusion = _exclusion_at(maintenance.exclusions, start)
        if exclusion is None:
            return Open(_earliest_end(maintenance.exclusions, start, end)) if start <= now else Closed(start)
        moment = exclusion.end
    return Closed(None)


def _opening(windows: list[MaintenanceWindow], moment: datetime) -> tuple[datetime, datetime | None] | None:
    """The first span at or after ``moment`` in which a window is open, cut to begin no earlier than ``moment``."""
    if not windows:
        return moment, None
    spans = [span for window in windows if (span := _span(window, moment)) is not None]
    return min(spans, key=lambda span: (span[0], -span[1].timestamp()), default=None)


def _span(window: MaintenanceWindow, moment: datetime) -> tuple[datetime, datetime] | None:
    duration = parse_duration(window.duration)
    zone = _zone(window.time_zone)
    try:
        # One step back by the duration finds the window that is already open at this moment.
        starts = CronSim(window.start, (moment.astimezone(UTC) - duration).astimezone(zone))
        start = next(starts, None)
    except CronSimError as error:
        raise InvalidSpecError(
            f"maintenance window start {window.start!r} is no cron expression ({error}): "
            "write five fields as in crontab(5), for example '0 2 * * 6'",
            reason="InvalidMaintenanceWindow",
        ) from error
    if start is None:
        return None
    # In UTC: arithmetic within a time zone is by the wall clock, and on two days of the year that is an hour off.
    opened = start.astimezone(UTC)
    return max(opened, moment), opened + duration


def parse_duration(text: str) -> timedelta:
    """``4h``, ``90m``, ``1h30m`` as a positive timedelta. Raises InvalidSpecError."""
    hours, _, rest = text.rpartition("h") if "h" in text else ("0", "", text)
    minutes = rest.removesuffix("m") or "0"
    try:
        duration = timedelta(hours=int(hours), minutes=int(minutes))
    except ValueError:
        duration = timedelta()
    if duration <= timedelta():
        raise InvalidSpecError(
            f"maintenance window duration {text!r} is not a positive time: write hours and minutes, for example 4h or 1h30m",
            reason="InvalidMaintenanceWindow",
        )
    return duration


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidSpecError(
            f"maintenance window timeZone {name!r} is not in the IANA time zone database: write a name such as Europe/Berlin",
            reason="InvalidMaintenanceWindow",
        ) from error


def _exclusion_at(exclusions: list[MaintenanceExclusion], moment: datetime) -> MaintenanceExclusion | None:
    return next((exclusion for exclusion in exclusions if exclusion.start <= moment < exclusion.end), None)


def _earliest_end(exclusions: list[MaintenanceExclusion], start: datetime, end: datetime | None) -> datetime | None:
    ends = [exclusion.start for exclusion in exclusions if exclusion.start > start]
    return min([*ends, *([end] if end is not None else [])], default=None)
