"""Whether something grows with time, judged from samples that also swing (pure)."""

import statistics
from collections.abc import Mapping, Sequence

Sample = Mapping[str, float]


def early_and_late(samples: Sequence[Sample], name: str) -> tuple[float, float]:
    """Medians of the second and of the last quarter: the first one is warming up.

    Raises ValueError when there are fewer than eight samples.
    """
    if len(samples) < 8:
        raise ValueError(f"expected at least 8 samples to compare quarters, found {len(samples)}")
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    return statistics.median(s[name] for s in early), statistics.median(s[name] for s in late)


def slope_per_hour(samples: Sequence[Sample], name: str) -> float:
    """The slope of a straight line through all samples but the first quarter's (least squares), per hour of the run."""
    kept = samples[len(samples) // 4 :]
    line = statistics.linear_regression([s["seconds"] for s in kept], [s[name] for s in kept])
    return line.slope * 3600
