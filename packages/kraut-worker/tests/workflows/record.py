"""Record histories/: what the tests of this folder did on a real Temporal server, for the next versions to replay.

``uv run python packages/kraut-worker/tests/workflows/record.py`` runs them and rewrites the folder. Do this at a release: a
history that was recorded after a change proves nothing about it.
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

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """The fixture has ended when the hook's other implementations have."""
        yield
        histories: list[WorkflowHistory] = getattr(item, "histories", [])
        if item.name.startswith("test_no_signal_is_lost"):
            return  # a hundred times the same run
        for number, history in enumerate(histories, 1):
            text = history.to_json()
            if len(text) <= LARGEST_BYTES:
                self.kept[f"{item.name.removeprefix('test_')}.{number}.json"] = text


def main() -> None:
    """Run the tests; replace the folder when all of them passed."""
    recorder = Recorder()
    code = pytest.main([str(HERE), "-q", "-m", "integration"], plugins=[recorder])
    if code != pytest.ExitCode.OK:
        sys.exit(f"not recorded: the tests ended with {code!r}")
    HISTORIES.mkdir(exist_ok=True)
    for old in HISTORIES.glob("*.json"):
        old.unlink()
    for name, text in recorder.kept.items():
        (HISTORIES / name).write_text(text + "\n")
    sys.stdout.write(f"{len(recorder.kept)} histories recorded in {HISTORIES}\n")


if __name__ == "__main__":
    main()
