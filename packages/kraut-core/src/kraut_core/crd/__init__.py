"""CustomResourceDefinitions, generated from the models: what the API server refuses is what the model refuses."""

from kraut_core.crd.definition import all_definitions, definition

__all__ = ["all_definitions", "definition"]
