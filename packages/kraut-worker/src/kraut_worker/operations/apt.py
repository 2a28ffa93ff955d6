"""Scripts that install package updates with apt (pure: they return text)."""

from typing import Literal


def update_packages(mode: Literal["Security", "All"]) -> str:
    """The script of an UpdatePackages operation; its exit codes are ``operations.exit_codes.ExitCode``."""
    raise NotImplementedError
