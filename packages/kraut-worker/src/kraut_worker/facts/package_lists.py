"""kraut's own package lists on the host, so that looking never takes or waits for the host's apt locks.

They live in /var/lib/kraut/apt with a cache of their own (about 100 MB for Debian's main archive), are fetched from the
host's own sources by the host's own apt, and its hooks (APT::Update::Post-Invoke and the like) do not run for them.
"""

import re
from datetime import UTC, datetime

from kraut_worker.facts.fact import UNSUPPORTED_EXIT, Answer, Fact, FactProblem
from kraut_worker.facts.model import FactError, PackageLists
from kraut_worker.operations.security import SECURITY_PREFERENCES

FOLDER = "/var/lib/kraut/apt"
NAME = "package_lists"
_MESSAGE_CHARACTERS = 500

CONFIG = f"""\
Dir::State::lists "{FOLDER}/lists";
Dir::Cache "{FOLDER}/cache";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
APT::Update::Error-Mode "any";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Post-Invoke-Stats;
"""

_COMMAND = """
command -v apt-get >/dev/null || exit @UNSUPPORTED@
folder=@FOLDER@
now=$(date +%s)
stamp=$(cat "$folder/refreshed" 2>/dev/null || echo 0)
printf 'refreshedAt=%s\\n' "$stamp"
age=$((now - stamp))
# A stamp from the future is a clock that was set back.
[ "$age" -lt 0 ] || [ "$age" -ge @MAX_AGE@ ] || exit 0
mkdir -p -m 0711 /var/lib/kraut && mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" || exit 73
cat >"$folder/apt.conf" <<'END' || exit 73
@CONFIG@END
{ cat /etc/apt/preferences 2>/dev/null; echo; cat <<'END'; } >"$folder/security.preferences" || exit 73
@PREFERENCES@END
exec 9>"$folder/lock" || exit 73
flock -w 90 9 || exit 75
out=$(timeout 120 apt-get -q -c "$folder/apt.conf" update 2>&1 9>&-)
status=$?
case $out in *'Failed to fetch'*|*'Some index files failed'*) [ "$status" -ne 0 ] || status=100 ;; esac
if [ "$status" -eq 0 ]; then
  printf '%s\\n' "$now" >"$folder/refreshed.new" && mv "$folder/refreshed.new" "$folder/refreshed" || exit 73
  printf 'refreshedAt=%s\\n' "$now"
else
  printf '%s\\n' "$out" | grep -E '^(E|W|Err)' | tail -n 5 >&2
  exit "$status"
fi
"""


def command(max_age_seconds: int) -> str:
    """Fetch the lists when they are older than that; 0 fetches always."""
    text = _COMMAND
    for name, value in (
        ("UNSUPPORTED", str(UNSUPPORTED_EXIT)),
        ("FOLDER", FOLDER),
        ("MAX_AGE", str(max_age_seconds)),
        ("CONFIG", CONFIG),
        ("PREFERENCES", SECURITY_PREFERENCES),
    ):
        text = text.replace(f"@{name}@", value)
    return text


def parse(answer: Answer) -> PackageLists:
    """A failed refresh is a finding beside the older lists, not an error: they still tell what is pending."""
    if answer.exit_status == UNSUPPORTED_EXIT:
        raise FactProblem("UnsupportedOperatingSystem", "this host has no apt-get")
    stamp = int(answer.pairs().get("refreshedAt") or 0)
    return PackageLists(
        refreshed_at=datetime.fromtimestamp(stamp, UTC) if stamp else None,
        problem=_problem(answer) if answer.exit_status else None,
    )


_REASONS = {
    73: ("HostFolderNotWritable", f"{FOLDER} cannot be written (full or read-only file system)"),
    75: ("PackageListsBusy", "another refresh of kraut's package lists runs on the host"),
    124: ("RepositoryUnreachable", "apt did not fetch the package lists of the host's sources within 120 s"),
}
_UNTRUSTED = re.compile(r"NO_PUBKEY|EXPKEYSIG|BADSIG|is not signed|not valid yet|is expired")

_USERINFO = re.compile(r"://[^/\s@]+@")
"""Passwords of a repository stand in its URI, where sources.list(5) allows them."""


def _problem(answer: Answer) -> FactError:
    reason, sentence = _REASONS.get(
        answer.exit_status, ("RepositoryUnreachable", "apt could not fetch all package lists of the host's sources")
    )
    if _UNTRUSTED.search(answer.stderr):
        reason, sentence = "RepositoryUntrusted", "apt could not verify a package repository of the host"
    elif "list of sources could not be read" in answer.stderr:
        reason, sentence = "PackageSourcesInvalid", "apt cannot read the host's list of sources"
    return FactError(NAME, reason, f"{sentence}; older lists are used. {_essence(answer.stderr)}".rstrip())


def _essence(stderr: str) -> str:
    """Errors before warnings, each once, without the summary line that says nothing."""
    lines = [line.strip() for line in dict.fromkeys(stderr.splitlines()) if "index files failed" not in line]
    telling = [line for line in lines if line.startswith("E:")] or lines
    return _USERINFO.sub("://***@", " ".join(telling))[:_MESSAGE_CHARACTERS]


def package_lists(max_age_seconds: int) -> Fact[PackageLists]:
    """The fact, with the age from which lists are fetched anew."""
    return Fact(NAME, command(max_age_seconds), parse)


PACKAGE_LISTS = package_lists(0)
"""The fact with lists that are always fetched anew."""
