"""Order and headings of the test run: what is fast fails first."""

from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes is judged by nobody: it is long on a machine that stood still.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, print_blob=True)

STAGES = ("unit", "integration", "lab", "sweep")
LONGEST = (
    "tests/lab/test_update_policies.py",
    "tests/lab/test_crashes.py",
    "tests/lab/test_bad_input.py",
    "tests/lab/sweep/test_crash_points.py",
    "tests/lab/faults/test_stuck_work.py",
)
"""Under tests/, as the summary of a whole run lists them."""
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
    """Run the stages in order; of the tests across packages the longest files first, so that no process ends alone with one.

    The packages' own tests come before those: some expect the lab's hosts as they were made.
    """
    for item in items:
        item.user_properties.append(("stage", stage_of(item)))
    items.sort(
        key=lambda item: (STAGES.index(stage_of(item)), _rank(item.path.relative_to(item.config.rootpath).as_posix()))
    )


def _rank(file: str) -> int:
    return 0 if file.startswith("packages/") else 1 if file in LONGEST else 2


class Headings:
    """Prints a heading when a stage begins (in one process), and how long the tests of each took at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: set[str] = set()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._tests: Counter[str] = Counter()
        self._files: Counter[str] = Counter()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        stage = stage_of(item)
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if stage not in self._told and reporter is not None:
            self._told.add(stage)
            reporter.ensure_newline()
            reporter.section(HEADINGS[stage])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        stage = str(dict(report.user_properties).get("stage", STAGES[0]))
        self._seconds[stage] += report.duration
        self._tests[stage] += report.when == "call"
        self._files[report.nodeid.partition("::")[0]] += round(report.duration * 1000)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if len(self._tests) > 1:
            terminalreporter.section("stages: tests, and seconds summed over all processes")
            for stage in STAGES:
                terminalreporter.write_line(f"{stage:12} {self._tests[stage]:6} {self._seconds[stage]:8.0f} s")
            terminalreporter.section("longest files")
            for file, milliseconds in self._files.most_common(20):
                terminalreporter.write_line(f"{milliseconds / 1000:8.0f} s {file}")


def pytest_configure(config: pytest.Config) -> None:
    """Register the headings."""
    config.pluginmanager.register(Headings(config), "kraut-headings")
