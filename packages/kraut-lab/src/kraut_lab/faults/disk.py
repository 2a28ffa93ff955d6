"""File systems of a host that take nothing more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kraut_lab.hosts import LabHost


@contextmanager
def full(host: LabHost, folder: str, *, size: str = "64k") -> Iterator[None]:
    """A tmpfs of a size stands in for a folder and is filled to the last byte: writes fail with ENOSPC."""
    host.exec(f"mkdir -p {folder}; mount -t tmpfs -o size={size},mode=0755 kraut-fault {folder}")
    try:
        host.exec(f"cat /dev/zero >{folder}/kraut-fault 2>/dev/null || true")
        yield
    finally:
        _unmount(host, folder)


@contextmanager
def read_only(host: LabHost, folder: str) -> Iterator[None]:
    """A folder is mounted over itself, read-only: writes fail with EROFS, also root's."""
    host.exec(f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}")
    try:
        yield
    finally:
        _unmount(host, folder)


def _unmount(host: LabHost, folder: str) -> None:
    # Lazily: a program that was started there goes on. After a reboot there is nothing to unmount.
    host.exec(f"! mountpoint -q {folder} || umount --lazy {folder}")
