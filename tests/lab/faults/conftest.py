"""kraut's processes under other circumstances."""

import contextlib
import signal

import pytest

from kraut_lab.lab import in_parallel


@pytest.fixture(scope="session")
def others_instead(kraut):
    """``with others_instead(lab.component("worker", instance="x"), env={...}):`` they run in place of the shared ones."""

    @contextlib.contextmanager
    def others(*components, env):
        shared = [kraut.component(component.name) for component in components]
        in_parallel([component.stop for component in shared])
        try:
            in_parallel([lambda each=each: each.start(restart=True, env=env[each.name]) for each in components])
            yield components
        finally:
            for component in components:
                component.send(signal.SIGCONT)
            in_parallel([component.stop for component in components])
            in_parallel([lambda each=each: each.start(restart=True) for each in shared])

    return others
