"""Order and headings of the test run: what is fast fails first."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, print_blob=True)

STAGES = ("unit", "integration", "lab", "sweep")
HEADINGS = {
    "unit": "unit: pure decisions and single parts, no services",
    "integration": "integration: real kube-apiserver, Temporal and sshd on loopback",
    "lab": "lab: real hosts in network namespaces of their own",
    "sweep": "sweep: long sweeps",
}


def stage_of(item: pytest.Item) -> str:
    """The last stage whose marker the test bears; without one it is a unit test."""
    return next((stage for stage in reversed(STAGES[1:]) if item.get_closest_marker(stage)), STAGES[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the stages in order; within one, as collected."""
    items.sort(key=lambda item: STAGES.index(stage_of(item)))


class Headings:
    """Prints a heading when a stage begins, and how long each took at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        stage = stage_of(item)
        if stage not in self._began:
            self._began[stage] = time.monotonic()
            self._print(HEADINGS[stage])
        result = yield
        self._ended[stage] = time.monotonic()
        return result

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if len(self._began) > 1:
            terminalreporter.section("stages")
            for stage, began in self._began.items():
                terminalreporter.write_line(f"{stage:12} {self._ended.get(stage, began) - began:6.0f} s")

    def _print(self, heading: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.section(heading)


def pytest_configure(config: pytest.Config) -> None:
    """Register the headings."""
    config.pluginmanager.register(Headings(config), "kraut-headings")
