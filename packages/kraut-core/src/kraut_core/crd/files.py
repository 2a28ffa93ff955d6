"""The CustomResourceDefinitions as files of YAML, one per kind."""

from typing import Any, Final

import yaml

from kraut_core.crd.definition import all_definitions

HEAD: Final = "# Generated from the models of kraut-core by `make generate`; edit those.\n"


class _PlainDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (the base class names it)
        """Anchors save bytes and cost the reader."""
        return True


def render(definition: dict[str, Any]) -> str:
    """One definition as YAML."""
    text: str = yaml.dump(definition, Dumper=_PlainDumper, sort_keys=False, width=120, allow_unicode=True)
    return HEAD + text


def files() -> dict[str, str]:
    """File name -> content, for example ``hosts.kraut.dev.yaml``."""
    return {f"{definition['metadata']['name']}.yaml": render(definition) for definition in all_definitions()}
