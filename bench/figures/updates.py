"""A patch run over many hosts: from the wish to the last host that has nothing left to do."""

import asyncio
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench import objects
from bench.figure import Aim, Figure
from bench.figures.facts import ansible_environment
from bench.peers.build import FOLDER, tool_environment
from bench.sample import Sample, Samples, interleave
from bench.stage import Stage
from bench.subject import ROOT
from bench.subjects.fleet import Fleet
from bench.targets import Files, targets_of, write_files
from bench.usage import cpu_seconds, machine_cpu_seconds, run
from kraut_lab.apt import DebPackage
from kraut_lab.components import Component
from kraut_lab.lab import in_parallel

HOME = "updates"
KRAUT, PSSH, PYINFRA, ANSIBLE = "kraut", "parallel-ssh, apt-get alone", "pyinfra", "Ansible"
PACKAGES = ("kraut-b-one", "kraut-b-two", "kraut-b-three")
OPTIONS = "-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
SCRIPT = f"""set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
apt-get -q update
apt-get -q -y {OPTIONS} upgrade --with-new-pkgs
"""
PLAYBOOK = """- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.apt:
        update_cache: true
        upgrade: safe
        dpkg_options: force-confdef,force-confold
"""
DEPLOY = """from pyinfra.operations import apt
apt.update()
apt.upgrade()
"""


def measure(stage: Stage) -> Samples:
    """Every contender installs the same three packages on the same hosts, as root; then they are put back."""
    with tempfile.TemporaryDirectory(prefix="kraut-bench-") as name, asyncio.Runner() as runner:
        stage.say(f"starting {stage.sizes.hosts} hosts")
        _prepare(stage)
        files = write_files(stage.lab, targets_of(stage.lab, len(stage.lab.hosts)), Path(name))
        stage.notes.append(
            f"{len(stage.lab.hosts)} real hosts on the same cores, three packages each from an archive on this machine; "
            "kraut: operator, worker, Temporal and API server as shipped, the hosts known before"
        )
        components = [stage.component(name, HOME) for name in ("operator", "worker")]
        kube_context = objects.connect(stage.plane)
        kube = runner.run(kube_context.__aenter__())
        try:
            for component in components:
                component.start(env=stage.component_settings(HOME))
            fleet = Fleet(kube, HOME, stage.lab.hosts, stage.lab.ssh.private_key.read_text())
            runner.run(fleet.make())
            contenders = {KRAUT: partial(_kraut, stage, runner, fleet, components)}
            for contender, (argv, env) in _commands(files, Path(name)).items():
                contenders[contender] = partial(_peer, stage, argv, env)
            interleave(contenders, 1)
            return interleave(contenders, stage.sizes.rounds)
        finally:
            runner.run(kube_context.__aexit__(None, None, None))
            for component in components:
                component.stop(grace=0)


def _prepare(stage: Stage) -> None:
    """Only the lab's archive: what Debian publishes while this runs would be everybody's noise."""
    versions = [DebPackage(name, version) for name in PACKAGES for version in ("1.0", "1.1")]
    stage.lab.apt_repository.publish(*versions)
    names = " ".join(f"{name}=1.0" for name in PACKAGES)
    only_lab = r"sed -i '\|/debian|d' /etc/apt/sources.list && apt-get -qq update"
    install = f"DEBIAN_FRONTEND=noninteractive apt-get -yqq install --allow-downgrades {names} >/dev/null"
    in_parallel([partial(host.exec, f"{only_lab} && {install}") for host in stage.lab.hosts], workers=4)


def _put_back(stage: Stage) -> None:
    """By dpkg alone, from the files that the first installation left: it takes a fifth of apt's time."""
    files = " ".join(f"/var/cache/apt/archives/{name}_1.0_all.deb" for name in PACKAGES)
    in_parallel([partial(host.exec, f"dpkg -i {files} >/dev/null") for host in stage.lab.hosts], workers=4)


def _check(stage: Stage) -> None:
    for host in stage.lab.hosts:
        found = host.exec(f"dpkg-query -W -f '${{Version}} ' {' '.join(PACKAGES)}").stdout.split()
        if found != ["1.1"] * len(PACKAGES):
            raise ChildProcessError(f"expected version 1.1 of all packages on {host.name}, found {found}")


def _kraut(stage: Stage, runner: asyncio.Runner, fleet: Fleet, components: list[Component], _round: int) -> Sample:
    _put_back(stage)
    runner.run(fleet.rest())
    before, machine = _used(components), machine_cpu_seconds()
    wall = runner.run(fleet.update())
    used, all_ = _used(components) - before, machine_cpu_seconds() - machine
    _check(stage)
    runner.run(fleet.rest())
    return {"wall_s": wall, "manager_cpu_s": used, "machine_cpu_s": all_}


def _used(components: list[Component]) -> float:
    return sum(cpu_seconds(component.pid) for component in components if component.pid is not None)


def _peer(stage: Stage, argv: list[str], env: dict[str, str], _round: int) -> Sample:
    _put_back(stage)
    machine = machine_cpu_seconds()
    used = run(argv, env={**env, "PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}, cwd=ROOT)
    all_ = machine_cpu_seconds() - machine
    _check(stage)
    return {"wall_s": used.wall_s, "manager_cpu_s": used.cpu_s, "machine_cpu_s": all_}


def _commands(files: Files, folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    env = files.environment
    script, playbook, deploy = folder / "update.sh", folder / "update.yaml", folder / "update.py"
    script.write_text(SCRIPT)
    playbook.write_text(PLAYBOOK)
    deploy.write_text(DEPLOY)
    pssh = [str(tool_environment("parallel-ssh") / "python"), str(FOLDER / "ssh" / "parallel_ssh_script.py")]
    pyinfra = [str(tool_environment("pyinfra") / "pyinfra"), "-y", "--parallel", "50", str(files.pyinfra_inventory)]
    ansible = [str(tool_environment("ansible") / "ansible-playbook"), "-i", str(files.ansible_inventory), str(playbook)]
    return {
        PSSH: ([*pssh, str(files.targets), str(script)], env),
        PYINFRA: ([*pyinfra, str(deploy)], env),
        ANSIBLE: (ansible, env | ansible_environment(folder)),
    }


FIGURE = Figure(
    title="Package updates, from the wish to the last host that has nothing left to do",
    size=50,
    size_of="hosts",
    measure=measure,
    aims=(
        Aim(KRAUT, "wall_s", 0.5, ANSIBLE),
        Aim(KRAUT, "wall_s", 1.2, PSSH),
        Aim(KRAUT, "manager_cpu_s", 0.5, ANSIBLE),
    ),
    rounds=3,
)
