"""A golden run that is itself wrong is refused, and so is a package operation that ran twice under one id."""

import copy

import pytest

from kraut_lab.crashes.finalstate import differences, on_the_host
from kraut_lab.crashes.right import mistakes
from kraut_lab.hosts.witness import parse_witnessed

PACKAGES = ("kraut-sweep-kernel", "kraut-sweep-openssl", "kraut-sweep-tool")
UPDATE, REBOOT = "0000000a-0000-4000-8000-000000000001", "0000000a-0000-4000-8000-000000000002"
FOLDERS = [[UPDATE, "UpdatePackages", "0"], [REBOOT, "Reboot", "0"]]
LOG = [f"100.5 lists first {UPDATE}", f"101.5 packages first {UPDATE}", "110.0 boot second none"]


def good():
    conditions = [{"type": type_, "status": "True"} for type_ in ("Ready", "UpToDate")]
    operations = [{"type": type_, "result": "Succeeded", "exitCode": 0} for type_ in ("Reboot", "UpdatePackages")]
    return {
        "status": {"observedGeneration": 2, "conditions": conditions, "operations": operations},
        "generation": 2,
        "finalizers": ["kraut.dev/host"],
        "status names the running boot": True,
        "operations in status are those on the host": True,
        "reservations": [],
        "configured": [[name, "1.1", 1] for name in PACKAGES],
        "machine": {
            **dict.fromkeys(PACKAGES, "1.1 installed"),
            "broken": "0",
            "rebootRequired": "0",
            "units": "0",
            "lock": "free",
            "start.lock": "free",
        },
        "boots": parse_witnessed(LOG).boots,
        "operations on the host": on_the_host(FOLDERS, parse_witnessed(LOG)),
        "workflow": "at rest",
        "after deletion": {
            "boots": 1,
            "apt runs of operations": [parse_witnessed(LOG).runs(UPDATE)],
            "configured": [[name, "1.1", 1] for name in PACKAGES],
            "folder": "gone",
        },
    }


def test_what_is_right_passes():
    assert mistakes(good()) == []


def two_reboots(state):
    state["boots"] = parse_witnessed([*LOG, "120.0 boot third none"]).boots


def a_reboot_after_all_was_said(state):
    state["after deletion"]["boots"] = 2


def no_reboot(state):
    state["boots"] = 0


def a_second_update_under_another_id(state):
    state["status"]["operations"].append({"type": "UpdatePackages", "result": "Succeeded", "exitCode": 0})


def an_update_that_ran_twice_under_its_id(state):
    again = parse_witnessed([*LOG, f"102.0 lists first {UPDATE}"])
    state["operations on the host"] = on_the_host(FOLDERS, again)


def packages_handed_to_dpkg_twice(state):
    again = parse_witnessed([*LOG, f"102.0 packages first {UPDATE}"])
    state["operations on the host"] = on_the_host(FOLDERS, again)


def an_update_that_ran_again_after_all_was_said(state):
    again = parse_witnessed([*LOG, f"102.0 lists first {UPDATE}"])
    state["after deletion"]["apt runs of operations"] = [again.runs(UPDATE)]


def an_operation_without_a_folder(state):
    other = parse_witnessed([*LOG, "102.0 lists first 0000000a-0000-4000-8000-000000000003"])
    state["operations on the host"] = on_the_host(FOLDERS, other)


def an_operation_without_a_result(state):
    state["operations on the host"] = on_the_host([[UPDATE, "UpdatePackages"], FOLDERS[1]], parse_witnessed(LOG))


def a_package_configured_twice(state):
    state["configured"][0][2] = 2


def a_package_that_was_not_updated(state):
    state["machine"]["kraut-sweep-tool"] = "1.0 installed"


def a_place_that_is_kept(state):
    state["reservations"] = [{"name": "host-1"}]


def a_host_that_is_not_ready(state):
    state["status"]["conditions"][0]["status"] = "False"


def a_host_that_is_not_up_to_date(state):
    state["status"]["conditions"][1]["status"] = "False"


def a_host_that_is_stalled(state):
    state["status"]["conditions"].append({"type": "Stalled", "status": "True"})


def a_generation_without_answer(state):
    state["status"]["observedGeneration"] = 1


def a_folder_that_stays(state):
    state["after deletion"]["folder"] = "/var/lib/kraut"


@pytest.mark.parametrize(
    "spoil",
    [
        two_reboots,
        a_reboot_after_all_was_said,
        no_reboot,
        a_second_update_under_another_id,
        an_update_that_ran_twice_under_its_id,
        packages_handed_to_dpkg_twice,
        an_update_that_ran_again_after_all_was_said,
        an_operation_without_a_folder,
        an_operation_without_a_result,
        a_package_configured_twice,
        a_package_that_was_not_updated,
        a_place_that_is_kept,
        a_host_that_is_not_ready,
        a_host_that_is_not_up_to_date,
        a_host_that_is_stalled,
        a_generation_without_answer,
        a_folder_that_stays,
    ],
)
def test_what_is_wrong_is_found_alone_and_beside_a_good_run(spoil):
    state = copy.deepcopy(good())
    spoil(state)
    assert mistakes(state) != []
    assert differences(good(), state) != []


def test_a_mistake_says_what_was_expected_and_found():
    state = good()
    two_reboots(state)
    assert mistakes(state) == ["boots: expected 1, found 2"]


def test_a_half_written_line_is_left_out():
    assert parse_witnessed([*LOG, "120.0 boot"]).boots == 1


def test_what_an_operation_repeats_is_said_and_what_others_do_is_not():
    log = [*LOG, f"102.0 lists first {UPDATE}", "103.0 lists first none", "104.0 lists first none"]
    assert parse_witnessed(LOG).repeated() == []
    assert parse_witnessed(log).repeated() == [f"operation {UPDATE} ran apt for lists 2 times"]
