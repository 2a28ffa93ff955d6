"""``kraut lab demo-identity``: up, the course, down."""

from __future__ import annotations

import sys
import time

import click
from rich.console import Console

from kraut_lab.demo.identity import IdentityDemo
from kraut_lab.errors import LabError
from kraut_lab.lab import Lab


@click.command("demo-identity", short_help="Watch a service account of one cluster act in another.")
@click.option("--name", default="demo-identity", show_default=True, help="Name of the lab that the demo makes.")
@click.option("--keep", is_flag=True, help="Leave the lab up afterwards.")
def demo_identity(name: str, *, keep: bool) -> None:
    """Watch a service account of cluster east act in cluster west, directly and through Dex.

    Two real control planes, kraut-oidc-proxy at each, and Dex; the clusters share no secret (Dex wants one of its
    clients). Nothing to type; everything the demo made is removed at its end, unless --keep is given. Needs no root.
    """
    began = time.monotonic()
    messages = Console(stderr=True, highlight=False)
    lab = Lab(name, progress=lambda text: messages.print(f"{time.monotonic() - began:6.1f}s  {text}", soft_wrap=True))
    try:
        lab.up(hosts=0, components=False, sites=("east", "west"), dex=True)
        run_identity_demo(lab, Console())
    except LabError as error:
        messages.print(f"The demo did not reach its end: {error}", style="red", markup=False, soft_wrap=True)
        messages.print(f"Logs of this lab: {lab.folder / 'logs'}" if keep else "KEEP=1 leaves the lab and its logs.")
        sys.exit(1)
    finally:
        if not keep:
            messages.print(f"{time.monotonic() - began:6.1f}s  removing the lab")
            lab.down()
    left = (
        f'It is up: eval "$(kraut lab env --name {name})"; kraut lab down --name {name}' if keep else "Nothing is left."
    )
    messages.print(f"Done in {time.monotonic() - began:.0f} s. {left}", markup=False, soft_wrap=True)


def run_identity_demo(lab: Lab, console: Console) -> None:
    """The course on a lab that is up. Raises LabError."""
    federation = lab.federation
    if federation is None or federation.dex is None:
        raise LabError(f"The lab {lab.name} should have sites and Dex: run `kraut lab up --sites east,west --dex`.")
    IdentityDemo(federation, federation.dex, console).run()
