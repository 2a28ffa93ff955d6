"""What the status of a Host or a Cluster means to somebody who waits for it (pure)."""

from typing import Any

from kraut_core.api.conditions import READY, RECONCILING, STALLED

Item = dict[str, Any]


def condition(item: Item, type_: str) -> Item | None:
    """The condition of that type, or None."""
    conditions = (item.get("status") or {}).get("conditions") or []
    return next((found for found in conditions if found["type"] == type_), None)


def is_observed(item: Item) -> bool:
    """Whether the status answers the present generation."""
    status = item.get("status") or {}
    return int(status.get("observedGeneration", 0)) >= int(item["metadata"].get("generation", 0))


def is_ready(item: Item) -> bool:
    """Ready for the present generation: what is still said of an older spec does not count."""
    found = condition(item, READY)
    return is_observed(item) and found is not None and found["status"] == "True" and _is_of_this_generation(item, found)


def is_settled(item: Item) -> bool:
    """Ready, or stuck so that only a person can help (Stalled)."""
    return is_observed(item) and (is_ready(item) or condition(item, STALLED) is not None)


def has_seen(item: Item, secret: Item) -> bool:
    """Whether the status answers a Secret as it was written; ``secret`` is the metadata that the API server answered."""
    references = (item.get("status") or {}).get("observedReferences") or []
    return any(
        seen["kind"] == "Secret"
        and seen["name"] == secret["name"]
        and seen.get("uid") == secret["uid"]
        and _not_older(seen.get("version", ""), secret["resourceVersion"])
        for seen in references
    )


def _is_of_this_generation(item: Item, found: Item) -> bool:
    return int(found.get("observedGeneration", 0)) >= int(item["metadata"].get("generation", 0))


def _not_older(version: str, other: str) -> bool:
    """Resource versions are whole numbers that grow (KEP-5504)."""
    return int(version) >= int(other) if version.isdecimal() and other.isdecimal() else version == other


def describe(item: Item) -> str:
    """The state in a sentence: what holds it up first."""
    name = item["metadata"]["name"]
    if not is_observed(item):
        return f"{name}: kraut has not looked at it yet (is kraut-operator running?)"
    for type_ in (STALLED, READY, RECONCILING):
        found = condition(item, type_)
        if found is not None and (type_ != READY or found["status"] != "True"):
            return f"{name}: {found['reason']}: {found.get('message', '')}"
    return f"{name}: Ready"
