"""What one run of one contender gave, and what several of them say together (pure)."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

Sample = Mapping[str, float]
"""Values by metric; the metric's name ends in its unit: ``wall_s``, ``peak_mib``, ``p99_ms``."""

Samples = dict[str, list[Sample]]
"""All rounds of every contender of a figure, by the contender's name."""


def interleave(contenders: Mapping[str, Callable[[int], Sample]], rounds: int) -> Samples:
    """Run A, B, A, B ... ``rounds`` times each, so that what changes with time changes for all of them.

    A contender gets the number of the round, from 0. Every other round goes backwards: nobody is always first.
    """
    found: Samples = {name: [] for name in contenders}
    for number in range(rounds):
        names = list(contenders)
        for name in names if number % 2 == 0 else names[::-1]:
            found[name].append(contenders[name](number))
    return found


def median(samples: Sequence[Sample], metric: str) -> float:
    """The median of a metric over the rounds."""
    return statistics.median(sample[metric] for sample in samples)


def spread(samples: Sequence[Sample], metric: str) -> tuple[float, float]:
    """The smallest and the largest value of a metric."""
    values = [sample[metric] for sample in samples]
    return min(values), max(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` (0 to 1) of the values do not exceed (nearest rank).

    >>> percentile([1, 2, 3, 4], 0.5), percentile([1, 2, 3, 4], 0.99)
    (2, 4)
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
