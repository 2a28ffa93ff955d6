"""Runs that began under an earlier version go on under this one: their recorded histories replay (record.py)."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.workflow import NondeterminismError

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def test_there_are_histories():
    assert HISTORIES


@pytest.mark.parametrize("recorded", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_run_replays(replayer, recorded):
    await replayer.replay_workflow(WorkflowHistory.from_json(recorded.stem, recorded.read_text()))


async def test_a_run_that_went_another_way_does_not_replay(replayer):
    recorded = HISTORIES[0].read_text().replace("assess_host", "assess_cluster")
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(WorkflowHistory.from_json("other", recorded))
