"""Runs that began under an earlier version go on under this one: their recorded histories replay (record.py)."""

import inspect
import json
import pkgutil
from importlib import import_module
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.workflow import NondeterminismError

import kraut_worker.workflows
from kraut_worker.workflows.registry import WORKFLOWS

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))
CONTINUING = [workflow for workflow in WORKFLOWS if "continue_as_new" in inspect.getsource(workflow)]
CONTINUED = "EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW"


def events_of(recorded):
    return json.loads(recorded.read_text())["events"]


def workflow_of(recorded):
    return events_of(recorded)[0]["workflowExecutionStartedEventAttributes"]["workflowType"]["name"]


def test_every_workflow_is_served_and_replayed():
    package = kraut_worker.workflows
    modules = [import_module(f"{package.__name__}.{module.name}") for module in pkgutil.iter_modules(package.__path__)]
    defined = {
        found
        for module in modules
        for _, found in inspect.getmembers(module, inspect.isclass)
        if hasattr(found, "__temporal_workflow_definition")
    }
    assert defined == set(WORKFLOWS)


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_every_workflow_has_a_recorded_history(workflow):
    assert workflow.__name__ in {workflow_of(recorded) for recorded in HISTORIES}, "record one: record.py"


@pytest.mark.parametrize("workflow", CONTINUING)
def test_every_workflow_that_continues_as_new_has_a_history_of_that(workflow):
    ends = {workflow_of(recorded) for recorded in HISTORIES if events_of(recorded)[-1]["eventType"] == CONTINUED}
    assert workflow.__name__ in ends, "record one: record.py"


@pytest.mark.parametrize("recorded", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_run_replays(replayer, recorded):
    await replayer.replay_workflow(WorkflowHistory.from_json(recorded.stem, recorded.read_text()))


async def test_a_run_that_went_another_way_does_not_replay(replayer):
    recorded = HISTORIES[0].read_text().replace("assess_host", "assess_cluster")
    with pytest.raises(NondeterminismError):
        await replayer.replay_workflow(WorkflowHistory.from_json("other", recorded))
