"""Whether something grows with time, judged from samples that also swing (pure)."""

import statistics
from collections.abc import Mapping, Sequence

Sample = Mapping[str, float]

FLOOR, MEDIAN, CEILING = 1, 5, 9
"""Deciles."""


def early_and_late(samples: Sequence[Sample], name: str, *, decile: int = MEDIAN) -> tuple[float, float]:
    """A decile of the second and of the last quarter, the median by default: the first quarter is warming up.

    What leaks raises the floor; what is built up and given back again, as a list of all objects after a cut, only the upper deciles.

    Raises ValueError when there are fewer than eight samples.
    """
    if len(samples) < 8:
        raise ValueError(f"expected at least 8 samples to compare quarters, found {len(samples)}")
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    return _decile([s[name] for s in early], decile), _decile([s[name] for s in late], decile)


def _decile(values: Sequence[float], number: int) -> float:
    return statistics.quantiles(values, n=10, method="inclusive")[number - 1]


def slope_per_hour(samples: Sequence[Sample], name: str) -> float:
    """The slope of a straight line through all samples but the first quarter's (least squares), per hour of the run."""
    kept = samples[len(samples) // 4 :]
    line = statistics.linear_regression([s["seconds"] for s in kept], [s[name] for s in kept])
    return line.slope * 3600
