"""What a token exchange (RFC 8693) at Dex costs a caller: once, and when it is cached."""

import json
from contextlib import ExitStack
from pathlib import Path

from bench.federation import Federated, federated
from bench.figure import Aim, Figure
from bench.sample import Sample, Samples
from bench.stage import Stage
from bench.subject import ROOT, python
from bench.subjects.exchange import CLIENT, FIRST
from bench.usage import run

FILE, CACHED, ASKED = "token file alone", "token file and cached exchange", "exchange at Dex"


def measure(stage: Stage) -> Samples:
    """Each round is a process that asks the file and the cache in turn, so that both have the same of the machine."""
    found: Samples = {FILE: [], CACHED: [], ASKED: []}
    with ExitStack() as stack:
        config = _write(stage.folder / "exchange.json", stack.enter_context(federated(stage, clients=[CLIENT])))
        stage.notes.append(f"{FIRST} exchanges per round are not cached; Dex is on the same cores, over TLS")
        for _ in range(stage.sizes.rounds):
            for name, sample in _round(config, stage.sizes.size).items():
                found[name].append(sample)
    return found


def _write(target: Path, site: Federated) -> Path:
    token = target.with_name("projected-token")
    token.touch(mode=0o600)
    token.write_text(site.token(site.dex.issuer))
    config = {
        "tokenFile": str(token),
        "endpoint": site.dex.token_endpoint,
        "subjectAudience": site.dex.issuer,
        "secretFile": str(site.dex.secret_file(CLIENT)),
        "ca": str(site.ca),
    }
    target.write_text(json.dumps(config))
    return target


def _round(config: Path, count: int) -> dict[str, Sample]:
    used = run(python("bench.subjects.exchange", str(config), str(count)), cwd=ROOT)
    told = json.loads(used.stdout)
    added = {f"adds_{metric}": told["cached"][metric] - told["file"][metric] for metric in ("p50_ms", "p99_ms")}
    return {FILE: told["file"], CACHED: {**told["cached"], **added}, ASKED: told["first"]}


FIGURE = Figure(
    title="A token for another cluster: the pod's own from its file, the same exchanged and cached, and asked of Dex each time",
    size=5000,
    size_of="tokens of each",
    measure=measure,
    aims=(Aim(CACHED, "adds_p50_ms", 1.0), Aim(CACHED, "adds_p99_ms", 1.0)),
)
