"""Hosts of a site that no worker serves."""

import pytest

pytestmark = pytest.mark.lab


def test_a_site_that_nobody_serves_is_named_its_correction_heals_and_its_hosts_can_be_deleted(desk, machine):
    handle = desk.host(machine)
    handle.wait_current()
    handle.apply(site="nowhere")
    host = handle.wait_condition("Stalled", "True", "SiteNotServed")
    told = {c["type"]: c for c in host["status"]["conditions"]}
    assert told["Ready"]["status"] == "Unknown"
    assert "KRAUT_WORKER_SITES=nowhere" in told["Stalled"]["message"]

    handle.apply(site="default")
    handle.wait_condition("Ready", "True")

    handle.apply(site="nowhere")
    handle.delete()
    handle.wait_gone()
    skipped = next(event for event in desk.events(handle.name) if event["reason"] == "CleanupSkipped")
    assert "no worker serves site nowhere" in skipped["note"]
    assert machine.exec("ls -d /var/lib/kraut").stdout.strip() == "/var/lib/kraut"


def test_a_host_whose_secret_went_first_can_be_deleted_and_says_what_stays(desk, machine):
    handle = desk.host(machine)
    handle.wait_current()
    status, answer = desk.api.request("DELETE", f"/api/v1/namespaces/{desk.namespace}/secrets/ssh")
    assert status == 200, answer
    handle.wait_condition("Stalled", "True", "SecretNotFound")
    handle.delete()
    handle.wait_gone()
    skipped = next(event for event in desk.events(handle.name) if event["reason"] == "CleanupSkipped")
    assert "Secret ssh does not exist" in skipped["note"]
