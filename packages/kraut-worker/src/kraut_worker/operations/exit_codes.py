"""The exit codes of kraut's own operations, and what they mean to a person."""

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of an operation's script. Anything else is unexpected; 128 + n is signal n."""

    OK = 0
    LOCK_TIMEOUT = 10
    REPOSITORY_UNREACHABLE = 11
    PACKAGE_FAILED = 12
    NO_SPACE = 13
    READ_ONLY = 14
    REPAIR_FAILED = 15
    UNRESOLVABLE = 16
    REBOOT_REFUSED = 17
    NO_ROOM = 18
    PACKAGES_IN_TRANSITION = 20
    HOST_LOCKED = 75


_MEANING: dict[ExitCode, tuple[str, str]] = {
    ExitCode.OK: ("Succeeded", "it succeeded"),
    ExitCode.LOCK_TIMEOUT: (
        "PackageLockTimeout",
        "another program held apt's or dpkg's lock for more than 5 minutes; nothing was changed",
    ),
    ExitCode.REPOSITORY_UNREACHABLE: (
        "RepositoryUnreachable",
        "a package repository of the host could not be read; make it reachable, or correct the host's apt sources",
    ),
    ExitCode.PACKAGE_FAILED: (
        "PackageFailed",
        "a package failed to unpack or configure; the operation's output names it",
    ),
    ExitCode.NO_SPACE: ("NoSpace", "a file system of the host became full in mid work; free some space"),
    ExitCode.NO_ROOM: (
        "NoRoom",
        "a file system of the host has too little room for the updates, the operation's output says which; nothing was changed",
    ),
    ExitCode.READ_ONLY: (
        "ReadOnlyFileSystem",
        "a file system that packages are installed to is read-only; nothing was changed",
    ),
    ExitCode.REPAIR_FAILED: (
        "PackageRepairFailed",
        "the package database was left broken by an earlier run and `dpkg --configure -a` could not repair it",
    ),
    ExitCode.UNRESOLVABLE: (
        "PackagesUnresolvable",
        "apt found no way to install the updates without removing packages; nothing was changed",
    ),
    ExitCode.REBOOT_REFUSED: ("RebootRefused", "systemd refused to reboot"),
    ExitCode.PACKAGES_IN_TRANSITION: (
        "PackagesInTransition",
        "packages were being installed, or their database needs repair; the host was not rebooted in the middle of it",
    ),
    ExitCode.HOST_LOCKED: ("HostLocked", "another of kraut's operations held the host's lock"),
}


def describe_exit(code: int) -> tuple[str, str]:
    """The condition reason and the sentence (lower case, no full stop) for an exit code.

    >>> describe_exit(13)
    ('NoSpace', 'a file system of the host became full in mid work; free some space')
    >>> describe_exit(137)
    ('OperationKilled', 'it was ended by signal 9')
    """
    try:
        return _MEANING[ExitCode(code)]
    except ValueError:
        pass
    if code > 128:
        return "OperationKilled", f"it was ended by signal {code - 128}"
    return "OperationFailed", f"it ended with exit code {code}; the operation's output says why"
