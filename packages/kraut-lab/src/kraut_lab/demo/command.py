"""``kraut lab demo``: up, the course, down."""

from __future__ import annotations

import platform
import re
import sys
import sysconfig
import time
from pathlib import Path

import click
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console

from kraut_lab.demo.manifests import Machine
from kraut_lab.demo.scenario import Demo
from kraut_lab.errors import LabError
from kraut_lab.lab import Lab

RECORD_COLUMNS = 150

SVG_WITHOUT_FONTS = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
"""rich's picture without its web fonts: a document must not fetch anything when it is looked at."""


@click.command()
@click.option("--name", default="demo", show_default=True, help="Name of the lab that the demo makes.")
@click.option("--hosts", default=3, show_default=True, type=click.IntRange(1, 20), help="How many hosts.")
@click.option("--keep", is_flag=True, help="Leave the lab up afterwards.")
@click.option(
    "--record", type=click.Path(path_type=Path, dir_okay=False), help="Also write what was shown to this SVG file."
)
def demo(name: str, hosts: int, keep: bool, record: Path | None) -> None:
    """Watch real hosts go from unknown to discovered to patched and rebooted.

    Nothing to type; everything the demo made is removed at its end, unless --keep is given.
    """
    began = time.monotonic()
    messages = Console(stderr=True, highlight=False)
    lab = Lab(name, progress=lambda text: messages.print(f"{time.monotonic() - began:6.1f}s  {text}", soft_wrap=True))
    console = Console(record=True, width=RECORD_COLUMNS) if record else Console()
    try:
        lab.up(hosts=hosts)
        run_demo(lab, console)
    except LabError as error:
        messages.print(f"The demo did not reach its end: {error}", style="red", markup=False, soft_wrap=True)
        messages.print(f"Logs of this lab: {lab.folder / 'logs'}" if keep else "KEEP=1 leaves the lab and its logs.")
        sys.exit(1)
    finally:
        if not keep:
            messages.print(f"{time.monotonic() - began:6.1f}s  removing the lab")
            lab.down()
    if record:
        svg = console.export_svg(title="make demo", code_format=SVG_WITHOUT_FONTS)
        record.write_text(without_local_version(svg, platform.release()))
    console.print(
        f"\nDone in {time.monotonic() - began:.0f} s. {_farewell(lab, keep=keep)}", soft_wrap=True, markup=False
    )


def run_demo(lab: Lab, console: Console) -> None:
    """The course on a lab that is up. Raises LabError."""
    machines = [
        Machine(name=host.name, address=host.address, port=host.port, user=host.user, host_key=host.host_key)
        for host in lab.hosts
    ]
    course = Demo(
        console,
        folder=lab.folder,
        kubeconfig=lab.control_plane.kubeconfig(),
        kubectl=Path(sysconfig.get_path("scripts")) / "kubectl",
        temporal_ui=lab.temporal.ui,
    )
    course.run(machines, lab.ssh.private_key.read_text())


def without_local_version(svg: str, release: str) -> str:
    """The picture with the kernel's version alone: the rest of ``release`` (uname -r) names this machine's build. Columns stay."""
    version = release.partition("-")[0]
    return svg.replace(release, version + "&#160;" * (len(release) - len(version)))


def _farewell(lab: Lab, *, keep: bool) -> str:
    if not keep:
        return "`make demo KEEP=1` leaves the lab up, to look around."
    return (
        f"The lab {lab.name} is up. Go on with:\n"
        f'  eval "$(kraut lab env --name {lab.name})"   # KUBECONFIG and more\n'
        "  kubectl get hosts.kraut.dev -o wide\n"
        "  kraut events\n"
        f"  kraut lab down --name {lab.name}"
    )
