"""Growth is told from swinging, and a soak that is too short is refused."""

import pytest

from kraut_operator.testing.growth import CEILING, FLOOR, early_and_late, slope_per_hour


def samples(values: list[float]) -> list[dict[str, float]]:
    return [{"seconds": float(number), "x": value} for number, value in enumerate(values)]


def test_what_swings_does_not_grow() -> None:
    early, late = early_and_late(samples([9, 5, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2, 3, 2, 1, 2]), "x")
    assert early == late == 2


def test_what_grows_is_told_with_its_slope() -> None:
    growing = samples([10.0 + number for number in range(40)])
    assert early_and_late(growing, "x") == (24.5, 44.5)
    assert slope_per_hour(growing, "x") == pytest.approx(3600)


def test_what_is_given_back_raises_no_floor_and_what_leaks_does() -> None:
    warm, quiet, busy = [100.0] * 20, [100.0] * 20, [100.0] * 8 + [150.0] * 12
    assert early_and_late(samples(warm + quiet + quiet + busy), "x", decile=FLOOR) == (100, 100)
    assert early_and_late(samples(warm + quiet + quiet + busy), "x", decile=CEILING) == (100, 150)
    leaking = [100 + number / 2 + 50 * (number % 2) for number in range(80)]
    early, late = early_and_late(samples(leaking), "x", decile=FLOOR)
    assert late - early == pytest.approx(20)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="8"):
        early_and_late(samples([1, 2, 3]), "x")
