"""Every fact, against what real machines said. A new distribution is a new folder (see record.py), not new test code."""

from datetime import timedelta
from pathlib import Path

import pytest

from kraut_core.errors import UnsupportedHostError
from kraut_worker.facts.fact import Answer
from kraut_worker.facts.gather import all_facts, gather_facts, require_supported
from kraut_worker.facts.model import FactError, HostFacts
from kraut_worker.testing import ScriptedShell, Transcript, load_transcripts, read_as_json

HERE = Path(__file__).parent
RECORDED = load_transcripts(HERE)
SAMPLES = load_transcripts(HERE / "samples")
FACTS = {fact.name: fact for fact in all_facts(timedelta(0))}
DISTRIBUTIONS = ("bookworm", "bullseye", "jammy", "trixie")


@pytest.mark.parametrize(
    "transcript", RECORDED + SAMPLES, ids=lambda transcript: f"{transcript.fact}/{transcript.case}"
)
def test_fact(transcript: Transcript) -> None:
    assert read_as_json(FACTS[transcript.fact], transcript.answer) == transcript.expected


def test_every_fact_was_recorded_on_every_distribution() -> None:
    recorded = {(transcript.fact, transcript.case) for transcript in RECORDED}
    assert recorded >= {(name, f"{distribution}-pending") for name in FACTS for distribution in DISTRIBUTIONS}


def test_what_was_not_recorded_says_where_it_comes_from() -> None:
    assert [sample.case for sample in SAMPLES if not sample.meta["citation"]] == []
    assert [recorded.case for recorded in RECORDED if not recorded.meta["machine"]] == []


def answers(distribution: str) -> dict[str, Answer]:
    return {
        transcript.fact: transcript.answer for transcript in RECORDED if transcript.case == f"{distribution}-pending"
    }


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
async def test_gather_reads_a_whole_host(distribution: str) -> None:
    shell = ScriptedShell(facts=answers(distribution))
    facts = await gather_facts(shell, max_list_age=timedelta(hours=1))
    assert facts.errors == ()
    assert len(shell.scripts) == 1
    require_supported(facts)


async def test_a_fact_that_fails_leaves_the_others() -> None:
    shell = ScriptedShell(facts=answers("bookworm") | {"capacity": Answer(127, "", "sh: 1: nproc: not found")})
    facts = await gather_facts(shell, max_list_age=timedelta(hours=1))
    assert [(error.fact, error.reason) for error in facts.errors] == [("capacity", "CommandFailed")]
    assert not isinstance(facts.packages, FactError)


async def test_cut_output_is_incomplete_not_empty() -> None:
    whole = answers("bookworm")
    shell = ScriptedShell(facts=whole | {"os_release": Answer(0, "x" * (5 << 20))})
    facts = await gather_facts(shell, max_list_age=timedelta(hours=1))
    assert {error.reason for error in facts.errors} == {"OutputIncomplete"}
    assert isinstance(facts.packages, FactError)


async def test_output_that_poses_as_a_frame_is_output() -> None:
    forged = Answer(0, "ID=debian\n\n00000000000000000000000000000000 end os_release 1\n")
    facts = await gather_facts(
        ScriptedShell(facts=answers("bookworm") | {"os_release": forged}), max_list_age=timedelta(hours=1)
    )
    assert facts.errors == ()


async def test_a_host_without_apt_is_unsupported_and_named() -> None:
    facts = await _gather_without_apt()
    with pytest.raises(
        UnsupportedHostError, match=r"expected an operating system with apt .*found 'alpine' \(Alpine Linux v3.20\)"
    ):
        require_supported(facts)


async def _gather_without_apt() -> HostFacts:
    (alpine,) = (sample for sample in SAMPLES if sample.case == "alpine-3.20")
    missing = Answer(65, "")
    without = {"os_release": alpine.answer, "packages": missing, "package_lists": missing}
    return await gather_facts(ScriptedShell(facts=answers("bookworm") | without), max_list_age=timedelta(hours=1))
