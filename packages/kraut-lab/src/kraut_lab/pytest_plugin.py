"""pytest fixtures on real parts; all is gone afterwards, also when pytest is killed.

Session-scoped, so tests share them: each test takes names (a namespace, a workflow id) of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kraut_lab.controlplane import ControlPlane
    from kraut_lab.lab import Lab
    from kraut_lab.temporal import TemporalServer

# Imports stand inside the fixtures: pytest loads this plugin in every run, most of which need no lab.


@pytest.fixture(scope="session")
def lab_folder() -> Iterator[Path]:
    """The folder of this session's parts; torn down at the end of the session or of the process."""
    from kraut_lab.owner import abandoned, claim  # noqa: PLC0415
    from kraut_lab.settings import load_lab_settings  # noqa: PLC0415
    from kraut_lab.teardown import tear_down  # noqa: PLC0415
    from kraut_lab.watchdog import Watchdog  # noqa: PLC0415

    state_dir = load_lab_settings().state_dir
    for left in abandoned(state_dir):
        tear_down(left)
    folder = state_dir / f"pytest-{os.getpid()}"
    claim(folder)
    watchdog = Watchdog(folder)
    yield folder
    tear_down(folder)
    watchdog.release()


@pytest.fixture(scope="session")
def control_plane(lab_folder: Path) -> ControlPlane:
    """A ready control plane with kraut's CRDs and RBAC."""
    from kraut_lab.controlplane import ControlPlane  # noqa: PLC0415

    plane = ControlPlane(lab_folder)
    plane.start()
    return plane


@pytest.fixture(scope="session")
def temporal_server(lab_folder: Path) -> TemporalServer:
    """A ready Temporal server with the namespace ``default``."""
    from kraut_lab.temporal import TemporalServer  # noqa: PLC0415

    server = TemporalServer(lab_folder)
    server.start()
    return server


@pytest.fixture(scope="session")
def lab(lab_folder: Path, request: pytest.FixtureRequest) -> Lab:
    """A lab with real hosts (as many as the ini option ``kraut_lab_hosts`` says), without operator and worker, and without a Host.

    Skips where the machine cannot have hosts, with the sentence that says why. It shares `control_plane` and
    `temporal_server` with tests that ask for those.
    """
    from kraut_lab.errors import MissingRequirementError  # noqa: PLC0415
    from kraut_lab.lab import Lab  # noqa: PLC0415
    from kraut_lab.leftovers import remove_objects  # noqa: PLC0415

    hosts = int(request.config.getini("kraut_lab_hosts"))
    try:
        found = Lab(lab_folder.name).up(hosts=hosts, components=False)
    except MissingRequirementError as error:
        pytest.skip(str(error))
    remove_objects(found.control_plane.admin)
    return found


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini option."""
    parser.addini("kraut_lab_hosts", "how many hosts the fixture `lab` has", default="3")
