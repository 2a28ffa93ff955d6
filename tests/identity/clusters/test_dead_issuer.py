"""What `kraut cluster connect` warns of, at a real kube-apiserver."""

import asyncio
import re

import pytest
import yaml

from kraut_core.identity.authentication import trust_cluster
from kraut_lab.ports import choose_ports

pytestmark = pytest.mark.sweep


async def test_one_dead_issuer_blocks_every_change_until_it_is_out(desk, site, target, connect, kubectl):
    [closed] = choose_ports(1)
    dead = trust_cluster(site.described(f"https://localhost:{closed}", "x"), "gone")
    audience = "https://blocked.example.com"
    target.trust(dead)
    options = ("blocked", f"--audience={audience}", f"--authentication-config={target.file}")
    assert "warning: issuer" in connect(*options).stderr
    failure = re.compile(
        r'^apiserver_authentication_config_controller_automatic_reloads_total\{[^}]*status="failure"', re.MULTILINE
    )
    async with asyncio.timeout(300):
        while not failure.search(kubectl(target.kubeconfig, "get", "--raw", "/metrics").stdout):
            await asyncio.sleep(1)
    _, ready = await desk.look("blocked")
    assert ready.reason == "Unauthorized"
    document = yaml.safe_load(target.file.read_text())
    target.trust(*(entry for entry in document["jwt"] if entry != dead))
    await desk.until("blocked", "Reachable")
