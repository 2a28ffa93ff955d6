"""Facts of many hosts at once, against tools that do the same over SSH."""

import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.figure import Aim, Figure
from bench.peers.build import FOLDER, tool_environment
from bench.sample import Sample, Samples, interleave
from bench.stage import Stage
from bench.subject import ROOT, python
from bench.subjects.gather import BASE, OLD
from bench.targets import Files, targets_of, write_files
from bench.usage import run
from kraut_worker.facts.gather import all_facts
from kraut_worker.facts.sections import join_commands

KRAUT, KRAUT_ALL = "kraut", "kraut with packages"
PSSH, PSSH_ALL = "parallel-ssh, same script", "parallel-ssh, same script with packages"
PYINFRA, ANSIBLE = "pyinfra", "Ansible"
PYINFRA_FACTS = (
    "server.LinuxDistribution",
    "server.Kernel",
    "server.KernelVersion",
    "server.Arch",
    "hardware.Cpus",
    "hardware.Memory",
    "hardware.BlockDevices",
    "server.RebootRequired",
)
MARKER = "0123456789abcdef"


def measure(stage: Stage) -> Samples:
    """Every contender connects anew, as root, with 50 hosts at a time."""
    with tempfile.TemporaryDirectory(prefix="kraut-bench-") as name:
        folder = Path(name)
        stage.say(f"starting {stage.sizes.hosts} hosts")
        files = write_files(stage.lab, targets_of(stage.lab, stage.sizes.size), folder)
        stage.notes.append(
            f"the {stage.sizes.size} targets are {stage.sizes.hosts} real hosts with sshd, on the same cores"
        )
        contenders = {name: partial(_run, argv, env) for name, (argv, env) in _commands(files, folder).items()}
        # Package lists are fetched once, and what the hosts read lies in memory for everybody.
        interleave(contenders, 1)
        return interleave(contenders, stage.sizes.rounds)


def ansible_environment(folder: Path) -> dict[str, str]:
    """Ansible as fast as it goes: pipelining, 50 forks; a new connection per run, as for everybody."""
    return {
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_FORKS": "50",
        "ANSIBLE_LOCAL_TEMP": str(folder / "ansible"),
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=no",
    }


def _commands(files: Files, folder: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    targets, env = str(files.targets), files.environment
    inventory = ["-i", str(files.ansible_inventory)]
    setup = [str(tool_environment("ansible") / "ansible"), "all", *inventory, "-m", "setup"]
    return {
        KRAUT: (python("bench.subjects.gather", targets, "base"), env),
        PSSH: (_pssh(targets, _script(folder, "base")), env),
        PYINFRA: (
            [
                str(tool_environment("pyinfra") / "pyinfra"),
                "-y",
                "--parallel",
                "50",
                str(files.pyinfra_inventory),
                "fact",
                *PYINFRA_FACTS,
            ],
            env,
        ),
        ANSIBLE: ([*setup, "-a", "gather_subset=!all,hardware"], env | ansible_environment(folder)),
        KRAUT_ALL: (python("bench.subjects.gather", targets, "all"), env),
        PSSH_ALL: (_pssh(targets, _script(folder, "all")), env),
    }


def _pssh(targets: str, script: Path) -> list[str]:
    interpreter = str(tool_environment("parallel-ssh") / "python")
    return [interpreter, str(FOLDER / "ssh" / "parallel_ssh_script.py"), targets, str(script)]


def _script(folder: Path, what: str) -> Path:
    facts = BASE if what == "base" else all_facts(OLD)
    file = folder / f"{what}.sh"
    file.write_text(f"exec </dev/null\nLC_ALL=C\nexport LC_ALL\n{join_commands(facts, MARKER)}\n")
    return file


def _run(argv: list[str], env: dict[str, str], _round: int) -> Sample:
    used = run(argv, env={**env, "PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}, cwd=ROOT)
    return {"wall_s": used.wall_s, "manager_cpu_s": used.cpu_s}


FIGURE = Figure(
    title="Facts over SSH, from the start of the program to its end; the manager's processor time counts its children",
    size=50,
    size_of="targets",
    measure=measure,
    aims=(
        Aim(KRAUT, "wall_s", 1.2, PSSH),
        Aim(KRAUT_ALL, "wall_s", 1.2, PSSH_ALL),
        Aim(KRAUT, "wall_s", 0.5, PYINFRA),
        Aim(KRAUT, "wall_s", 0.25, ANSIBLE),
        Aim(KRAUT, "manager_cpu_s", 0.05, ANSIBLE),
    ),
)
