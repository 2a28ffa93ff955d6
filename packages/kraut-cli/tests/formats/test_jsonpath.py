import pytest

from kraut_cli.formats.jsonpath import find, first
from kraut_core.api.kinds import all_kinds

ITEM = {
    "spec": {"address": "192.0.2.1", "ports": [22, 2222]},
    "metadata": {"labels": {"kraut.dev/site": "east"}},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "False"}]},
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".spec.address", ["192.0.2.1"]),
        (".spec.ports[0]", [22]),
        (".spec.ports[-1]", [2222]),
        (".spec.ports[2]", []),
        (".spec.ports[*]", [22, 2222]),
        (".metadata.labels['kraut.dev/site']", ["east"]),
        (".status.conditions[?(@.type=='Ready')].status", ["True"]),
        ('.status.conditions[?(@.type == "Stalled")].status', ["False"]),
        (".status.conditions[?(@.type=='Healthy')].status", []),
        (".status.conditions[*].type", ["Ready", "Stalled"]),
        (".status.nothing.there", []),
        (".spec.address.nothing", []),
    ],
)
def test_values_at_a_path(path, values):
    assert find(path, ITEM) == values
    assert first(path, ITEM) == (values[0] if values else None)


@pytest.mark.parametrize("path", ["spec.address", "$.spec", ".spec[", ".a[?(@.b>1)]", ".a..b"])
def test_a_path_that_no_column_may_have(path):
    with pytest.raises(ValueError, match="expected a JSONPath such as"):
        find(path, ITEM)


@pytest.mark.parametrize(
    "column", [column for kind in all_kinds() for column in kind.columns], ids=lambda c: c.json_path
)
def test_every_column_of_every_kind_can_be_read(column):
    find(column.json_path, {})
