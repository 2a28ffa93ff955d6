"""Get what the lab's control plane is made of into the cache, with progress, before any test waits for it."""

import sys
import time

from kraut_core.errors import KrautError
from kraut_lab.assets import Binaries, etcd_program, kubernetes_program


def main() -> int:
    """Find, download or build each binary. Returns the exit code."""
    binaries = Binaries(progress=lambda line: print(line, file=sys.stderr, flush=True))
    programs = (etcd_program(), kubernetes_program("kube-apiserver"), kubernetes_program("kube-controller-manager"))
    for program in programs:
        began = time.monotonic()
        try:
            path = binaries.path(program)
        except KrautError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(f"{program.name} {program.version}: {path} ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
