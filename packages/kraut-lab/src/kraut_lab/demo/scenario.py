"""The demo's course: apply, discover, ask for updates, watch, show."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from rich.console import Console

from kraut_core.api.conditions import READY, STALLED, find
from kraut_core.api.v1alpha1.host import Host
from kraut_core.kube.client import KubeClient
from kraut_lab.demo.manifests import NAMESPACE, Machine, demo_yaml
from kraut_lab.demo.steps import is_discovered, is_done, is_stalled, steps_between
from kraut_lab.errors import LabError
from kraut_lab.files import write_atomically

LOOK_SECONDS = 0.25


class Demo:
    """One run against a lab that is up."""

    def __init__(self, console: Console, *, folder: Path, kubeconfig: Path, kubectl: Path, temporal_ui: str) -> None:
        self._console = console
        self._file = folder / "demo" / "hosts.yaml"
        self._kubeconfig = kubeconfig
        self._kubectl = kubectl
        self._temporal_ui = temporal_ui
        self._began = time.monotonic()
        self._seen: Mapping[str, Host] = {}

    def run(self, machines: Sequence[Machine], private_key: str, *, patience: float = 300.0) -> None:
        """The whole demo. Raises LabError when a host stalls or the patience (seconds, per phase) is over."""
        names = {machine.name for machine in machines}
        before = self._phase(machines, private_key, "None", is_discovered, patience)
        self._title("kubectl get hosts.kraut.dev: discovered over SSH, nothing changed yet")
        self._kubectl_run("get", "hosts.kraut.dev")
        after = self._phase(machines, private_key, "All", is_done, patience)
        self._title("kubectl get hosts.kraut.dev: patched, and rebooted where a package asked for it")
        self._kubectl_run("get", "hosts.kraut.dev")
        self._proof(names, before, after)

    def _phase(
        self,
        machines: Sequence[Machine],
        private_key: str,
        updates: str,
        done: Callable[[Host], bool],
        patience: float,
    ) -> Mapping[str, Host]:
        self._title(f"kubectl apply --server-side -f {_short(self._file)}   (operatingSystem.updates: {updates})")
        write_atomically(self._file, demo_yaml(machines, private_key, updates=updates))
        self._kubectl_run("apply", "--server-side", "-f", str(self._file))
        names = {machine.name for machine in machines}
        return asyncio.run(self._watch(names, done, patience))

    async def _watch(self, names: set[str], done: Callable[[Host], bool], patience: float) -> Mapping[str, Host]:
        deadline = time.monotonic() + patience
        async with KubeClient.connect(str(self._kubeconfig), user_agent="kraut-lab") as kube:
            while True:
                hosts = {host.metadata.name: host async for host in kube.list(Host, NAMESPACE)}
                hosts = {name: host for name, host in hosts.items() if name in names}
                for name, sentence in steps_between(self._seen, hosts):
                    self._line(name, sentence)
                self._seen = hosts
                if len(hosts) == len(names) and all(done(host) for host in hosts.values()):
                    return hosts
                self._give_up_on(hosts, deadline, patience)
                await asyncio.sleep(LOOK_SECONDS)

    def _give_up_on(self, hosts: Mapping[str, Host], deadline: float, patience: float) -> None:
        stalled = [host for host in hosts.values() if is_stalled(host)]
        if stalled:
            raise LabError(_problems("stalled", stalled))
        if time.monotonic() > deadline:
            raise LabError(_problems(f"not done within {patience:.0f} s", list(hosts.values())))

    def _proof(self, names: set[str], before: Mapping[str, Host], after: Mapping[str, Host]) -> None:
        self._title("What happened")
        for name in sorted(names):
            self._line(name, _story(before[name], after[name]))
        query = quote('WorkflowType="HostWorkflow"', safe="")
        self._console.print(
            f"\nThese workflows in Temporal's UI: {self._temporal_ui}/namespaces/default/workflows?query={query}",
            soft_wrap=True,
        )

    def _kubectl_run(self, *arguments: str) -> None:
        argv = [str(self._kubectl), "--kubeconfig", str(self._kubeconfig), *arguments]
        shown = subprocess.run(argv, capture_output=True, text=True, check=False)
        if shown.returncode != 0:
            raise LabError(f"kubectl {arguments[0]} failed: {shown.stderr.strip()}")
        self._console.print(shown.stdout.rstrip(), highlight=False, markup=False, soft_wrap=True)

    def _title(self, text: str) -> None:
        self._console.print(f"\n[bold]{text}[/bold]", highlight=False, soft_wrap=True)

    def _line(self, name: str, sentence: str) -> None:
        elapsed = time.monotonic() - self._began
        self._console.print(f"{elapsed:6.1f}s  {name:<12} {sentence}", highlight=False, markup=False, soft_wrap=True)


def _short(path: Path) -> str:
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


def _story(before: Host, after: Host) -> str:
    if (
        before.status is None
        or after.status is None
        or before.status.host_info is None
        or after.status.host_info is None
    ):
        return "no status"
    was, now = before.status, after.status
    pending = was.packages.pending if was.packages else 0
    left = now.packages.pending if now.packages else 0
    booted = before.status.host_info.boot_id != after.status.host_info.boot_id
    reboot = "rebooted" if booted else "no reboot needed"
    return f"{pending} updates pending -> {left}; {reboot}; boot id {after.status.host_info.boot_id}"


def _problems(what: str, hosts: Sequence[Host]) -> str:
    return "\n".join(f"{host.metadata.name}: {what}; {_condition(host)}" for host in hosts)


def _condition(host: Host) -> str:
    conditions = host.status.conditions if host.status is not None else []
    found = find(conditions, STALLED) or find(conditions, READY)
    return f"{found.type}={found.status} {found.reason}: {found.message}" if found else "kraut has not answered yet"
