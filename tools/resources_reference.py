"""Write docs/reference/resources.md from the kinds, and from the reasons that their conditions bear; ``--check`` only compares."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from generated import write_or_compare
from reasons import Reason, constants, errors, findings

from kraut_core.api.kinds import Kind, all_kinds
from kraut_core.api.meta import API_VERSION, REQUESTED_AT
from kraut_core.crd import definition as crd_of
from kraut_core.crd.schema import INT_OR_STRING, Schema
from kraut_worker.adapters.kube.explaining import ADVICE
from kraut_worker.operations.exit_codes import ExitCode, describe_exit
from kraut_worker.planning import cluster_verdicts, verdicts
from kraut_worker.planning.events import FAILED, STARTED, SUCCEEDED

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference" / "resources.md"
CORE = ROOT / "packages/kraut-core/src/kraut_core"
WORKER = ROOT / "packages/kraut-worker/src/kraut_worker"

HEAD = f"""# Resources

The kinds of `{API_VERSION}`, all namespaced. `kubectl explain hosts.kraut.dev.spec` says the same on your cluster.

The annotation `{REQUESTED_AT}` on a Host or a Cluster asks kraut to look, or to try again, now. Its value is any text
that differs from the last one, by habit the time; `kraut host test` sets it.

Generated from the models and the worker's source by `make generate`; edit them there.
"""

CONDITIONS = """## Conditions

As [kstatus](https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus) has them, so that `kubectl wait`, Helm and Argo CD
understand them.

| condition | of | meaning |
|---|---|---|
| `Ready` | Host, Cluster | True: kraut reaches it and may manage it. False: somebody must act. Unknown: it cannot be asked now; kraut goes on trying |
| `Reconciling` | Host, Cluster | True while kraut works on it or waits for something; absent otherwise |
| `Stalled` | Host, Cluster | True while nothing goes on until somebody acts; absent otherwise |
| `UpToDate` | Host | True: no update that `operatingSystem.updates` asks for is pending, and no reboot is due. Unknown: the host cannot be asked |

In messages … stands for what the object at hand has there. Column *Ready*: what `Ready` is with that reason.
"""

EVENTS = """## Events

Kind `Event` of `events.k8s.io/v1`, at the Host or Cluster: `kraut events`. The API server forgets them after an hour.

| reason | when |
|---|---|
| that of `Ready` | `Ready` changed |
| that of `Stalled` | a Host stalled for another reason than that of `Ready` |
"""

OPAQUE = {"conditions", "observedReferences"}
"""Fields of a status that are the same in every kind: not described part by part."""

HOST_FILES = (*sorted((WORKER / "adapters/ssh").glob("*.py")), WORKER / "activities/targets.py")
CLUSTER_FILES = (
    *sorted((WORKER / "adapters/kube").glob("*.py")),
    WORKER / "activities/cluster_targets.py",
    CORE / "kube/explicit.py",
    *(CORE / f"identity/{name}.py" for name in ("exchange", "described", "clientauth", "urls")),
    *(CORE / f"identity/adapters/{name}.py" for name in ("exchange", "http", "tokenrequest")),
)
"""Where errors are made that become the reason of a condition."""

NAMES = {
    name: value
    for module in (verdicts, cluster_verdicts)
    for name, value in vars(module).items()
    if name.isupper() and isinstance(value, str)
}
"""Constants that hold a reason, by their name."""


def render() -> str:
    """The reference as Markdown."""
    parts = [HEAD, *(_kind(kind) for kind in all_kinds()), CONDITIONS, *_reasons(), _events()]
    return "\n".join(parts).rstrip() + "\n"


def _kind(kind: Kind) -> str:
    version = crd_of(kind)["spec"]["versions"][0]
    root = version["schema"]["openAPIV3Schema"]
    spec, status = (root["properties"][name] for name in ("spec", "status"))
    fields = [_spec_row(path, part, required=required) for path, part, required in _fields(spec)]
    observed = [_status_row(path, part) for path, part, _ in _fields(status)]
    rules = [f"- `{path}`: {message}" for path, message in _rules(root)]
    names = " or ".join(f"`{name}`" for name in (kind.crd_name, *kind.short_names))
    parts = [
        f"## {kind.name}\n\n{root['description']} In kubectl: {names}.\n",
        f"### {kind.name} spec\n",
        _table(("field", "type", "default", "meaning"), fields),
        *(["Rules that the API server checks, too:\n", "\n".join(rules) + "\n"] if rules else []),
        f"### {kind.name} status\n",
        _table(("field", "type", "meaning"), observed),
    ]
    return "\n".join(parts)


def _fields(schema: Schema, path: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Path, schema and whether it is required of every field below ``schema``, in the order of the model."""
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        here = f"{path}.{name}".removeprefix(".")
        if [*part.get("properties", {})] == ["name"]:
            # A reference is one thing to a reader.
            yield f"{here}.name", {"type": "string", "description": part["description"]}, name in required
            continue
        yield here, part, name in required
        if name not in OPAQUE:
            yield from _fields(part, here)
            yield from _fields(part.get("items", {}), f"{here}[]")


def _rules(schema: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path, rule["message"]
    for name, part in schema.get("properties", {}).items():
        yield from _rules(part, f"{path}.{name}".removeprefix("."))
    if "items" in schema:
        yield from _rules(schema["items"], f"{path}[]")


def _spec_row(path: str, part: Schema, *, required: bool) -> tuple[str, ...]:
    default = part.get("default")
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    cell = "required" if required else "" if default is None or default == {} else f"`{shown}`"
    return f"`{path}`", _type(part), cell, part.get("description", "")


def _status_row(path: str, part: Schema) -> tuple[str, ...]:
    return f"`{path}`", _type(part), part.get("description", "")


def _type(part: Schema) -> str:
    if "enum" in part:
        return " or ".join(str(value) for value in part["enum"])
    if part.get(INT_OR_STRING):
        return "integer or percentage"
    if part.get("format") == "date-time":
        return "time"
    if part["type"] == "array":
        return f"list of {_plural(part['items'])}"
    return f"{part['type']}{_bounds(part)}"


def _plural(items: Schema) -> str:
    return f"{items['type']}s"


def _bounds(part: Schema) -> str:
    least, most = part.get("minimum"), part.get("maximum")
    if least is not None and most is not None:
        return f", {least} to {most}"
    return f", at least {least}" if least is not None else ""


def _reasons() -> list[str]:
    host, cluster = (constants(WORKER / f"planning/{name}.py") for name in ("verdicts", "cluster_verdicts"))
    advice = [Reason(reason, sentence, permanent=True) for reason, sentence in ADVICE.items()]
    at_hosts = [reason for file in HOST_FILES for reason in errors(file, NAMES)]
    at_clusters = [*advice, *(reason for file in CLUSTER_FILES for reason in errors(file, NAMES))]
    windows = errors(WORKER / "planning/windows.py", NAMES)
    unread = [reason for file in sorted((WORKER / "facts").glob("*.py")) for reason in findings(file)]
    return [
        "### Reasons of a Host\n",
        _table(("reason", "meaning"), [*((f"`{reason.name}`", reason.sentence) for reason in host), *_joined(windows)]),
        "When the host cannot be reached or managed:\n",
        _problems(_without(at_hosts, [reason.name for reason in host])),
        "When a part of what it says cannot be read; `UpToDate` is Unknown then, or `Ready` when nothing can be decided without it:\n",
        _table(("reason", "message"), _joined(_without(unread, [reason.name for reason in host]))),
        "What an operation that failed says, in `status.operations` and in Events:\n",
        _table(("exit code", "message"), [(str(int(code)), describe_exit(code)[1]) for code in ExitCode if code]),
        "### Reasons of a Cluster\n",
        _table(("reason", "meaning"), [(f"`{reason.name}`", reason.sentence) for reason in cluster]),
        "When the cluster cannot be reached (for `Exchange...`: what to correct in `spec.access.exchange` or at the provider):\n",
        _problems(_without(at_clusters, [reason.name for reason in cluster])),
    ]


def _without(reasons: Iterable[Reason], names: Iterable[str]) -> list[Reason]:
    return [reason for reason in reasons if reason.name not in {*names}]


def _problems(reasons: list[Reason]) -> str:
    rows = []
    for name, message in _joined(reasons):
        permanent = {reason.permanent for reason in reasons if f"`{reason.name}`" == name}
        ready = "False" if permanent == {True} else "Unknown" if permanent == {False} else "False or Unknown"
        rows.append((name, ready, message))
    return _table(("reason", "Ready", "message"), rows)


def _joined(reasons: list[Reason]) -> list[tuple[str, str]]:
    """One row per reason, sorted, with each of its messages once."""
    return [
        (f"`{name}`", "<br>".join(dict.fromkeys(reason.sentence for reason in reasons if reason.name == name)))
        for name in sorted({reason.name for reason in reasons})
    ]


def _events() -> str:
    rows = [
        *((f"`{reason}`", f"{what} was decided") for what, reason in STARTED.items()),
        *((f"`{reason}`", f"{what} succeeded") for what, reason in SUCCEEDED.items()),
        *((f"`{reason}`", f"{what} failed, or ended without a result") for what, reason in FAILED.items()),
        ("`CleanupSkipped`", "a Host was deleted whose machine could not be asked: /var/lib/kraut stays there"),
    ]
    return EVENTS + "\n".join(_row(row) for row in rows) + "\n"


def _table(head: tuple[str, ...], rows: list[Any]) -> str:
    return "\n".join([_row(head), "|" + "---|" * len(head), *(_row(row) for row in rows)]) + "\n"


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(write_or_compare(REFERENCE, render()))
