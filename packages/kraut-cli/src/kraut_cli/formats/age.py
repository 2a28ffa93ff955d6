"""How long ago, in the words kubectl uses (pure)."""

from datetime import UTC, datetime, timedelta

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_YEAR = 365 * _DAY


def human_duration(duration: timedelta) -> str:
    """``45s``, ``3m12s``, ``7h5m``, ``5d3h``, ``2y40d``: two units while the second one matters.

    The limits are those of k8s.io/apimachinery/pkg/util/duration.HumanDuration; one second into the future is a clock's
    error, more is ``<invalid>``.
    """
    seconds = int(duration.total_seconds())
    if seconds < -1:
        return "<invalid>"
    if seconds < 2 * _MINUTE:
        return f"{max(seconds, 0)}s"
    if seconds < 3 * _HOUR:
        return _two(seconds, _MINUTE, "m", "s", 1) if seconds < 10 * _MINUTE else f"{seconds // _MINUTE}m"
    if seconds < 2 * _DAY:
        return _two(seconds, _HOUR, "h", "m", _MINUTE) if seconds < 8 * _HOUR else f"{seconds // _HOUR}h"
    if seconds < 2 * _YEAR:
        return _two(seconds, _DAY, "d", "h", _HOUR) if seconds < 8 * _DAY else f"{seconds // _DAY}d"
    return _two(seconds, _YEAR, "y", "d", _DAY) if seconds < 8 * _YEAR else f"{seconds // _YEAR}y"


def _two(seconds: int, unit: int, name: str, lesser_name: str, lesser: int) -> str:
    whole, rest = divmod(seconds, unit)
    count = rest // lesser
    return f"{whole}{name}{count}{lesser_name}" if count else f"{whole}{name}"


def age(moment: str | None, now: datetime) -> str:
    """How long before ``now`` an RFC 3339 time was; ``-`` when there is none."""
    return human_duration(now - parse_time(moment)) if moment else "-"


def parse_time(text: str) -> datetime:
    """A metav1.Time or MicroTime (RFC 3339)."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
