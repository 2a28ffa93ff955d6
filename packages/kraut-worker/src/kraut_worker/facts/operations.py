"""kraut's own operations on the host, so that a running one is adopted and none is started twice."""

from collections.abc import Iterator, Mapping

from kraut_worker.facts.fact import Answer, Fact
from kraut_worker.facts.model import OperationOnHost, Operations
from kraut_worker.operations.layout import OPS, RELEASED, ROOT
from kraut_worker.operations.reading import READ_FUNCTION, read_state

SHOWN = 5

COMMAND = f"""
{READ_FUNCTION}
# Also of a host that was let go: whoever manages it again goes on behind that.
greatest=0
for file in {ROOT}/token {RELEASED}; do
  [ ! -e "$file" ] || read -r token <"$file"
  case ${{token:-x}} in *[!0-9]*) ;; *) [ "$token" -le "$greatest" ] || greatest=$token ;; esac
done
echo "token=$greatest"
# By fencing token: it grows with every decision, whatever the clock and the folders' times say.
for spec in {OPS}/*/spec; do
  [ -e "$spec" ] || continue
  id=${{spec%/spec}}
  while IFS== read -r key value; do [ "$key" != token ] || echo "$value ${{id##*/}}"; done <"$spec"
done | sort -rn | head -n {SHOWN} | while read -r _ id; do
  echo operation
  read_operation "{OPS}/$id"
done
"""


def parse(answer: Answer) -> Operations:
    """Newest first. Folders without a spec (a start that was cut before it wrote one) are nothing yet and left out."""
    head, *blocks = _blocks(answer.lines)
    return Operations(
        newest=tuple(
            _parse_operation(values) for values in blocks if values.get("spec.type") in ("UpdatePackages", "Reboot")
        ),
        fencing_token=int(head.get("token") or 0),
    )


def _blocks(lines: tuple[str, ...]) -> Iterator[Mapping[str, str]]:
    values: dict[str, str] = {}
    for line in lines:
        if line == "operation":
            yield values
            values = {}
        else:
            key, _, value = line.partition("=")
            values[key] = value
    yield values


def _parse_operation(values: Mapping[str, str]) -> OperationOnHost:
    return OperationOnHost(
        id=values["id"],
        type="Reboot" if values["spec.type"] == "Reboot" else "UpdatePackages",
        fencing_token=int(values.get("spec.token") or 0),
        decided_in_boot_id=values.get("spec.bootID", ""),
        state=read_state(values),
    )


OPERATIONS = Fact("operations", COMMAND, parse)
