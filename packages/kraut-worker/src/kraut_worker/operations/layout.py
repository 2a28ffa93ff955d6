"""Where operations live on a host, and the files of one (shared by what writes them and what reads them).

::

    /var/lib/kraut/                 0711  so that apt's sandbox user reaches kraut's package lists
    ├── lock                              flock(1): held by the unit for as long as its operation runs
    ├── start.lock                        flock(1): held while an operation is started or everything is removed
    ├── token                             the greatest fencing token seen, decimal
    ├── apt/                              package lists of discovery (facts.package_lists)
    └── ops/<id>/                   0700
        ├── spec                          key=value: type, token, bootID (decided in), created (Unix seconds)
        ├── script                        what the operation does
        ├── run                           what the unit runs: claim, lock, script, result
        ├── claim/bootID                  made by the unit before anything else; without bootID and spec: nothing may begin any more
        ├── changing                      made by apt when dpkg begins (operations.apt)
        ├── out                           stdout and stderr of the script; of much output the beginning is a hole
        └── result                        key=value: exitCode, bootID, ended (Unix seconds); written whole or not at all

    /run/kraut-released                   the fencing token when all that was removed, decimal: no operation with such a one or a
                                          smaller one is started any more. Gone with the boot, in which alone it could be started
"""

from typing import Final

ROOT: Final = "/var/lib/kraut"
OPS: Final = f"{ROOT}/ops"
RELEASED: Final = "/run/kraut-released"
KEPT_FOLDERS: Final = 20
"""Older folders are removed when an operation starts."""
