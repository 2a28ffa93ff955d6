"""The definitions as files: what is committed is what the models say, and every text is for people."""

from pathlib import Path

import pytest
import yaml

from kraut_core.api.kinds import all_kinds
from kraut_core.crd import all_definitions
from kraut_core.crd.__main__ import differences, main, write
from kraut_core.crd.files import files

CHART = Path(__file__).parents[4] / "charts" / "kraut-crds"


def parts(schema, path=()):
    yield path, schema
    if "items" in schema:
        yield from parts(schema["items"], (*path, "[]"))
    for name, value in schema.get("properties", {}).items():
        yield from parts(value, (*path, name))


PARTS = [
    pytest.param(part, id=f"{definition['spec']['names']['kind']}.{'.'.join(path)}")
    for definition in all_definitions()
    for name, root in definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"].items()
    if name in {"spec", "status"}
    for path, part in parts(root, (name,))
]
SPEC_PARTS = [part for part in PARTS if ".spec" in part.id]


def test_committed_files_are_what_the_models_say():
    assert differences(CHART / "templates") == []


def test_templates_hold_nothing_for_helm_to_interpret():
    for path in (CHART / "templates").iterdir():
        assert "{{" not in path.read_text(), path


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_described(part):
    assert part.get("description") or part["type"] not in {"object", "array"}
    if "description" in part:
        assert part["description"].endswith("."), part["description"]


@pytest.mark.parametrize("part", SPEC_PARTS)
def test_every_text_and_list_of_a_spec_is_bounded(part):
    """CEL rules are refused when their cost has no bound, and etcd's objects have one anyway."""
    if part.get("type") == "string":
        assert "maxLength" in part or "enum" in part
    if part.get("type") == "array":
        assert "maxItems" in part


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in all_kinds()])
def test_columns_lead_to_fields(kind):
    root = next(item for item in all_definitions() if item["metadata"]["name"] == kind.crd_name)
    schema = root["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for column in kind.columns:
        if not column.json_path.startswith(".metadata"):
            target = schema
            for name in column.json_path.split("[")[0].strip(".").split("."):
                target = target["properties"][name]


def test_check_names_what_differs_and_write_heals_it(tmp_path, capsys):
    assert main(["--write", str(tmp_path)]) == 0
    assert main(["--check", str(tmp_path)]) == 0
    changed, stale = tmp_path / "hosts.kraut.dev.yaml", tmp_path / "gone.kraut.dev.yaml"
    changed.write_text(changed.read_text() + "# edited\n")
    stale.write_text("")
    assert main(["--check", str(tmp_path)]) == 1
    errors = capsys.readouterr().err
    assert "hosts.kraut.dev.yaml" in errors
    assert "gone.kraut.dev.yaml" in errors
    write(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(files())


def test_standard_output_is_one_stream_of_documents(capsys):
    assert main([]) == 0
    names = [document["metadata"]["name"] for document in yaml.safe_load_all(capsys.readouterr().out)]
    assert names == [kind.crd_name for kind in all_kinds()]
