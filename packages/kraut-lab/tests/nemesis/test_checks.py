"""The checker finds what is planted, and nothing in a history in which all is well."""

import copy

import pytest

from kraut_lab.nemesis.checks import check
from kraut_lab.nemesis.history import History, HistoryWriter, read_history

FIRST, SECOND = "first", "second"
HOSTS = ("host-1", "host-2")
PACKAGE = "kraut-nemesis-kernel"


def host(name, uid, version, *, observed, operations=(), created="1970-01-01T00:00:50Z", t=0.0, generation=2, **status):
    conditions = [
        {"type": type_, "status": "True", "reason": "Good", "message": "good"} for type_ in ("Ready", "UpToDate")
    ]
    return {
        "t": t,
        "what": "object",
        "type": "MODIFIED",
        "object": {
            "kind": "Host",
            "metadata": {
                "name": name,
                "uid": uid,
                "generation": generation,
                "resourceVersion": str(version),
                "creationTimestamp": created,
            },
            "status": {
                "observedGeneration": observed,
                "fencingToken": version,
                "conditions": conditions,
                "operations": list(operations),
                "hostInfo": {"bootID": f"{name}-{SECOND}"},
                **status,
            },
        },
    }


def said(id_, type_, result, start="1970-01-01T00:01:40Z"):
    return {"id": id_, "type": type_, "result": result, "startTime": start, "bootID": f"{id_.rsplit('/')[0]}-{FIRST}"}


def history_of(name, begin):
    """An update and a reboot of a host, from ``begin`` (Unix seconds) on, in 30 s."""
    update, reboot = f"{name}/update", f"{name}/reboot"
    done = (said(reboot, "Reboot", "Succeeded"), said(update, "UpdatePackages", "Succeeded"))
    effect = {"what": "effect", "host": name, "package": PACKAGE, "version": "1.1", "boot": f"{name}-{FIRST}"}
    operation = {"what": "operation", "host": name}
    return [
        {"t": 60.0, "what": "boot", "host": name, "boot": f"{name}-{FIRST}"},
        host(name, f"{name}-uid", 100, observed=1, generation=1, t=begin - 1),
        {**operation, "t": begin, "operation": update, "type": "UpdatePackages", "claimed": begin, "ended": None, "exitCode": None},
        {**effect, "t": begin + 1, "phase": "begin", "operation": update},
        {**effect, "t": begin + 3, "phase": "end", "operation": update},
        {**operation, "t": begin + 4, "operation": update, "type": "UpdatePackages", "claimed": begin, "ended": begin + 4, "exitCode": 0},
        host(name, f"{name}-uid", 101, observed=2, t=begin + 5, operations=[said(update, "UpdatePackages", "Succeeded")]),
        {**operation, "t": begin + 6, "operation": reboot, "type": "Reboot", "claimed": begin + 6, "ended": begin + 7, "exitCode": 0},
        {"t": begin + 6.5, "what": "reboot", "host": name, "operation": reboot, "boot": f"{name}-{FIRST}"},
        {"t": begin + 10, "what": "boot", "host": name, "boot": f"{name}-{SECOND}"},
        host(name, f"{name}-uid", 102, observed=2, t=begin + 12, operations=done),
        {
            "t": 900.0,
            "what": "final",
            "host": name,
            "object": host(name, f"{name}-uid", 103, observed=2, operations=done)["object"],
            "installed": {PACKAGE: "1.1 installed"},
            "published": {PACKAGE: "1.1"},
            "boot": f"{name}-{SECOND}",
            "broken": "0", "rebootRequired": "0", "units": "0", "lock": "free", "start.lock": "free",
        },
        {
            "t": 901.0,
            "what": "workflow",
            "id": f"home/Host/ns/{name}",
            "run": "r",
            "status": "WORKFLOW_EXECUTION_STATUS_COMPLETED",
            "pendingActivities": [],
            "pendingTaskAttempt": 0,
            "taskFailures": ["WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND"],
            "events": 400,
        },
        {**host(name, f"{name}-uid", 104, observed=2, t=903.0, operations=done), "type": "DELETED"},
        {"t": 904.0, "what": "left", "host": name, "object": None, "folder": ""},
    ]  # fmt: skip


def good():
    run = {"t": 0.0, "what": "run", "hosts": list(HOSTS), "maxUnavailable": 1}
    policy = {"t": 902.0, "what": "final-policy", "object": {"status": {"reservations": []}}}
    resources = {"t": 901.0, "what": "resources", "name": "worker-a", "memoryMiB": 90, "descriptors": 40}
    return [run, *history_of("host-1", 100.0), *history_of("host-2", 200.0), policy, resources]


def find(events, what, **fields):
    return [e for e in events if e["what"] == what and all(e.get(name) == value for name, value in fields.items())]


def checked(events):
    return check(History(sorted(events, key=lambda event: event["t"])))


def test_nothing_is_found_where_all_is_well():
    assert checked(good()) == []


def final(events):
    return find(events, "final", host="host-1")[0]


def not_ready(events):
    final(events)["object"]["status"]["conditions"][0]["status"] = "Unknown"


def still_reconciling(events):
    conditions = final(events)["object"]["status"]["conditions"]
    conditions.append({"type": "Reconciling", "status": "True", "reason": "Working", "message": "…"})


def an_update_is_missing(events):
    final(events)["published"][PACKAGE] = "1.2"


def a_lock_is_held(events):
    final(events)["lock"] = "held"


def an_old_boot_in_the_status(events):
    final(events)["boot"] = "another"


def a_place_is_kept(events):
    find(events, "final-policy")[0]["object"]["status"]["reservations"] = [{"name": "host-1"}]


def the_object_is_gone(events):
    final(events)["object"] = None


def nobody_looked(events):
    events.remove(final(events))


def a_generation_without_answer(events):
    final(events)["object"]["metadata"]["generation"] = 3


def a_request_without_answer(events):
    final(events)["object"]["metadata"]["annotations"] = {"kraut.dev/requested-at": "now"}


def a_package_configured_twice(events):
    again = copy.deepcopy(find(events, "effect", host="host-1", phase="begin")[0])
    events.append({**again, "t": again["t"] + 2.5})


def two_reboots(events):
    again = find(events, "reboot", host="host-1")[0]
    events.append({**again, "t": again["t"] + 0.1})


def an_operation_in_two_boots(events):
    again = find(events, "effect", host="host-1", phase="begin")[0]
    events.append({**again, "t": again["t"] + 20, "boot": f"host-1-{SECOND}", "package": "other"})


def an_operation_on_two_hosts(events):
    again = find(events, "effect", host="host-1", phase="begin")[0]
    events.append({**again, "t": again["t"] + 0.1, "host": "host-2"})


def effects_at_the_same_time(events):
    again = find(events, "effect", host="host-1", phase="begin")[0]
    events.append({**again, "t": again["t"] + 1, "operation": "other"})


def operations_at_the_same_time(events):
    again = find(events, "operation", host="host-1", operation="host-1/update")[-1]
    events.append({**again, "operation": "other", "claimed": again["claimed"] + 1, "t": again["t"] + 1})


def two_hosts_at_once(events):
    for event in find(events, "operation", host="host-2", operation="host-2/update"):
        event["claimed"], event["ended"] = 101.0, 104.0


def a_second_host_while_the_first_is_down(events):
    for event in find(events, "operation", host="host-2", operation="host-2/update"):
        event["claimed"] = 108.0


def a_workflow_that_failed(events):
    find(events, "workflow")[0]["status"] = "WORKFLOW_EXECUTION_STATUS_FAILED"


def a_workflow_that_forgot_its_past(events):
    find(events, "workflow")[0]["taskFailures"] = ["WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR"]


def a_workflow_that_never_yields(events):
    find(events, "workflow")[0]["taskFailures"] = ["TMPRL1101"]


def a_workflow_that_cannot_decide(events):
    find(events, "workflow")[0]["pendingTaskAttempt"] = 9


def an_activity_without_end(events):
    workflow = find(events, "workflow")[0]
    workflow["status"] = "WORKFLOW_EXECUTION_STATUS_RUNNING"
    workflow["pendingActivities"] = [{"type": "assess_host", "attempt": 9, "state": "STARTED"}]


def objects(events):
    return [e["object"] for e in events if e["what"] == "object" and e["object"]["metadata"]["name"] == "host-1"]


def a_generation_that_goes_back(events):
    objects(events)[2]["status"]["observedGeneration"] = 1


def a_generation_that_is_not_there_yet(events):
    objects(events)[0]["status"]["observedGeneration"] = 2


def a_token_that_goes_back(events):
    objects(events)[2]["status"]["fencingToken"] = 1


def a_success_that_is_taken_back(events):
    objects(events)[2]["status"]["operations"][1]["result"] = "Unknown"


def a_success_that_the_machine_never_said(events):
    for event in find(events, "operation", host="host-1", operation="host-1/update"):
        event["ended"] = event["exitCode"] = None


def a_success_of_what_failed(events):
    for event in find(events, "operation", host="host-1", operation="host-1/update", exitCode=0):
        event["exitCode"] = 100


def a_failure_that_nobody_saw(events):
    objects(events)[0]["status"]["operations"] = [said("host-1/lost", "UpdatePackages", "Failed")]


def a_reboot_without_a_boot(events):
    for event in find(events, "boot", host="host-1", boot=f"host-1-{SECOND}"):
        events.remove(event)


def an_object_that_is_heard_of_after_its_end(events):
    events.append(host("host-1", "host-1-uid", 105, observed=2, t=903.5))


def an_object_that_is_deleted_twice(events):
    events.append({**host("host-1", "host-1-uid", 105, observed=2, t=903.5), "type": "DELETED"})


def an_object_that_is_there_again(events):
    find(events, "left", host="host-1")[0]["object"] = host("host-1", "new-uid", 110, observed=2)["object"]


def a_folder_that_is_left(events):
    find(events, "left", host="host-1")[0]["folder"] = "/var/lib/kraut"


def nobody_looked_after_the_deletion(events):
    events.remove(find(events, "left", host="host-1")[0])


def a_process_that_grows(events):
    find(events, "resources")[0]["memoryMiB"] = 4096


def descriptors_that_are_never_closed(events):
    find(events, "resources")[0]["descriptors"] = 1000


def a_workflow_that_never_continues_as_new(events):
    find(events, "workflow")[0]["events"] = 20_000


def a_second_reboot_under_another_id(events):
    again = find(events, "reboot", host="host-1")[0]
    events.append({**again, "t": again["t"] + 0.1, "operation": "host-1/reboot-again"})


def a_second_reboot_in_the_next_boot(events):
    again = find(events, "reboot", host="host-1")[0]
    events.append({**again, "t": again["t"] + 20, "boot": f"host-1-{SECOND}", "operation": "host-1/reboot-again"})


def a_reboot_before_any_package_asked_for_it(events):
    find(events, "reboot", host="host-1")[0]["t"] = 90.0


@pytest.mark.parametrize(
    ("invariant", "plant"),
    [
        ("I1", not_ready),
        ("I1", still_reconciling),
        ("I1", an_update_is_missing),
        ("I1", a_lock_is_held),
        ("I1", an_old_boot_in_the_status),
        ("I1", a_place_is_kept),
        ("I1", the_object_is_gone),
        ("I1", nobody_looked),
        ("I2", a_generation_without_answer),
        ("I2", a_request_without_answer),
        ("I3", a_package_configured_twice),
        ("I3", two_reboots),
        ("I3", an_operation_in_two_boots),
        ("I3", an_operation_on_two_hosts),
        ("I4", effects_at_the_same_time),
        ("I4", operations_at_the_same_time),
        ("I5", two_hosts_at_once),
        ("I5", a_second_host_while_the_first_is_down),
        ("I8", a_workflow_that_failed),
        ("I8", a_workflow_that_forgot_its_past),
        ("I8", a_workflow_that_never_yields),
        ("I8", a_workflow_that_cannot_decide),
        ("I8", an_activity_without_end),
        ("I9", a_generation_that_goes_back),
        ("I9", a_generation_that_is_not_there_yet),
        ("I9", a_token_that_goes_back),
        ("I9", a_success_that_is_taken_back),
        ("I10", a_process_that_grows),
        ("I10", descriptors_that_are_never_closed),
        ("I10", a_workflow_that_never_continues_as_new),
        ("I11", an_object_that_is_heard_of_after_its_end),
        ("I11", an_object_that_is_deleted_twice),
        ("I11", an_object_that_is_there_again),
        ("I11", a_folder_that_is_left),
        ("I11", nobody_looked_after_the_deletion),
        ("I12", a_success_that_the_machine_never_said),
        ("I12", a_success_of_what_failed),
        ("I12", a_failure_that_nobody_saw),
        ("I12", a_reboot_without_a_boot),
        ("U14", a_second_reboot_under_another_id),
        ("U14", a_second_reboot_in_the_next_boot),
        ("U14", a_reboot_before_any_package_asked_for_it),
    ],
)
def test_a_planted_violation_is_found(invariant, plant):
    events = good()
    plant(events)
    assert invariant in {violation.invariant for violation in checked(events)}


def test_what_goes_on_behind_an_object_that_was_deleted_counts_for_nobody():
    events = good()
    two_hosts_at_once(events)
    gone = copy.deepcopy(
        next(e for e in events if e["what"] == "object" and e["object"]["metadata"]["name"] == "host-1")
    )
    gone["object"]["metadata"]["uid"] = "host-1-before"
    events.append({**gone, "type": "DELETED", "t": 100.5})
    assert checked(events) == []


def test_a_reboot_by_hand_needs_no_reason():
    events = good()
    by_hand = {"what": "reboot", "host": "host-1", "operation": "", "boot": f"host-1-{SECOND}", "t": 500.0}
    assert checked([*events, by_hand]) == []


def test_a_task_of_a_worker_that_was_stopped_may_be_given_up():
    events = good()
    a_workflow_that_never_yields(events)
    stop = {
        "t": 300.0,
        "what": "fault",
        "number": 1,
        "kind": "worker-stop",
        "target": "a",
        "phase": "begin",
        "trouble": "",
    }
    assert checked([*events, stop]) == []


def test_a_history_survives_its_file(tmp_path):
    writer = HistoryWriter(tmp_path / "history.jsonl")
    for event in good()[::-1]:
        writer.note(**event)
    writer.close()
    found = read_history(tmp_path / "history.jsonl")
    assert found.run["hosts"] == list(HOSTS)
    assert check(found) == []
