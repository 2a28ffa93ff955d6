from datetime import UTC, datetime, timedelta

import pytest

from kraut_cli.formats.age import age, human_duration

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365 * 86_400


# The table of k8s.io/apimachinery/pkg/util/duration/duration_test.go, TestHumanDurationBoundaries and TestHumanDuration.
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (1, "1s"),
        (2 * MINUTE - 1, "119s"),
        (2 * MINUTE, "2m"),
        (2 * MINUTE + 1, "2m1s"),
        (10 * MINUTE - 1, "9m59s"),
        (10 * MINUTE, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + MINUTE, "3h1m"),
        (8 * HOUR - 1, "7h59m"),
        (8 * HOUR, "8h"),
        (2 * DAY - 1, "47h"),
        (2 * DAY, "2d"),
        (2 * DAY + HOUR, "2d1h"),
        (8 * DAY - 1, "7d23h"),
        (8 * DAY, "8d"),
        (2 * YEAR - 1, "729d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR - 1, "7y364d"),
        (8 * YEAR, "8y"),
        (8 * YEAR + 364 * DAY, "8y"),
    ],
)
def test_the_words_of_kubectl(seconds, text):
    assert human_duration(timedelta(seconds=seconds)) == text


def test_times_of_the_api_server():
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert age("2026-01-01T00:00:00Z", now) == "24h"
    assert age("2026-01-01T23:59:30.123456Z", now) == "29s"
    assert age(None, now) == "-"
