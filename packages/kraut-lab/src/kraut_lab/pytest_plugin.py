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
