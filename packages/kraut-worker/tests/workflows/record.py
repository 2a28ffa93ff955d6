"""Record histories/: what the tests of this folder did on a real Temporal server, for the next versions to replay.

``uv run python packages/kraut-worker/tests/workflows/record.py`` runs them and rewrites the folder. Do this at a release: a
history that was recorded after a change proves nothing about it. With names of tests it runs these only, and adds to the
folder: for a new workflow, or a way through one that no history goes yet.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory

HERE = Path(__file__).parent
HISTORIES = HERE / "histories"
LARGEST_BYTES = 100_000


class Recorder:
    """Keeps the histories that the fixture ``stage`` leaves with each test."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.dropped: dict[str, str] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """The fixture has ended when the hook's other implementations have."""
        yield
        histories: list[WorkflowHistory] = getattr(item, "histories", [])
        if item.name.startswith("test_no_signal_is_lost"):
            return  # a hundred times the same run
        for number, history in enumerate(histories, 1):
            text = history.to_json()
            name = f"{item.name.removeprefix('test_')}.{number}.json"
            (self.kept if len(text) <= LARGEST_BYTES else self.dropped)[name] = text


def main() -> None:
    """Run the tests; replace the folder, or add to it, when all of them passed."""
    names = sys.argv[1:]
    recorder = Recorder()
    chosen = ["-k", " or ".join(names)] if names else []
    code = pytest.main([str(HERE), "-q", "-m", "integration", *chosen], plugins=[recorder])
    if code != pytest.ExitCode.OK:
        sys.exit(f"not recorded: the tests ended with {code!r}")
    HISTORIES.mkdir(exist_ok=True)
    for old in [] if names else HISTORIES.glob("*.json"):
        old.unlink()
    for name, text in recorder.kept.items():
        (HISTORIES / name).write_text(text + "\n")
    sys.stdout.write(f"{len(recorder.kept)} histories recorded in {HISTORIES}\n")
    for name in recorder.dropped:
        sys.stdout.write(f"not kept, since it is larger than {LARGEST_BYTES} bytes: {name}\n")


if __name__ == "__main__":
    main()
