"""Label selectors, as the API server understands them."""

from dataclasses import dataclass, field

import pytest

from kraut_core.api.labels import matches


@dataclass
class Requirement:
    key: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass
class Selector:
    match_labels: dict[str, str] = field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()


LABELS = {"zone": "east", "tier": "db"}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        (None, False),
        (Selector(), True),
        (Selector({"zone": "east"}), True),
        (Selector({"zone": "east", "tier": "web"}), False),
        (Selector({"absent": ""}), False),
        (Selector(match_expressions=(Requirement("zone", "In", ("west", "east")),)), True),
        (Selector(match_expressions=(Requirement("absent", "In", ("x",)),)), False),
        (Selector(match_expressions=(Requirement("zone", "NotIn", ("east",)),)), False),
        (Selector(match_expressions=(Requirement("absent", "NotIn", ("x",)),)), True),
        (Selector(match_expressions=(Requirement("zone", "Exists"),)), True),
        (Selector(match_expressions=(Requirement("zone", "DoesNotExist"),)), False),
        (Selector(match_expressions=(Requirement("zone", "Newer"),)), False),
        (Selector({"zone": "east"}, (Requirement("tier", "In", ("web",)),)), False),
    ],
)
def test_a_selector_selects(selector: Selector | None, selected: bool) -> None:
    assert matches(selector, LABELS) is selected
