"""Objects as JSON, YAML or names (pure)."""

import json
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks: keys and output stay readable."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def as_json(document: Any) -> str:
    """Indented by four, as kubectl writes it."""
    return json.dumps(document, indent=4, ensure_ascii=False) + "\n"


def as_yaml(*documents: Any) -> str:
    """A stream of documents, in the order of their keys."""
    return str(
        yaml.dump_all(
            documents,
            Dumper=_Dumper,
            sort_keys=False,
            allow_unicode=True,
            width=4096,
            explicit_start=len(documents) > 1,
        )
    )


def as_names(items: list[dict[str, Any]]) -> str:
    """``host.kraut.dev/web1``, a line for each; a core kind has no group: ``secret/web1-ssh``."""
    return "".join(f"{name_of(item)}\n" for item in items)


def name_of(item: dict[str, Any]) -> str:
    """The name kubectl gives an object and takes back: ``<kind>.<group>/<name>``."""
    group = item["apiVersion"].rpartition("/")[0]
    kind = item["kind"].lower()
    return f"{kind}.{group}/{item['metadata']['name']}" if group else f"{kind}/{item['metadata']['name']}"


def collection(items: list[dict[str, Any]]) -> dict[str, Any]:
    """A v1 List, as ``kubectl get -o json`` writes several objects."""
    return {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": items}


def presentable(item: dict[str, Any]) -> dict[str, Any]:
    """``item`` without managedFields, which nobody reads, as kubectl leaves them out."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    return {**item, "metadata": metadata}
