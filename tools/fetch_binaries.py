"""Get what the lab is made of into the cache, with progress, before any test waits for it: control plane, and Keycloak."""

import sys
import time

from kraut_core.errors import KrautError
from kraut_lab.assets import Binaries, etcd_program, kubernetes_program
from kraut_lab.assets.keycloak import VERSION, built_distribution
from kraut_lab.errors import MissingRequirementError
from kraut_lab.settings import load_lab_settings


def main() -> int:
    """Find, download or build each binary. Returns the exit code."""
    binaries = Binaries(progress=tell)
    programs = (etcd_program(), kubernetes_program("kube-apiserver"), kubernetes_program("kube-controller-manager"))
    for program in programs:
        began = time.monotonic()
        try:
            path = binaries.path(program)
        except KrautError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(f"{program.name} {program.version}: {path} ({time.monotonic() - began:.0f} s)", flush=True)
    return get_keycloak()


def get_keycloak() -> int:
    """Keycloak, where Java and Maven are: `make setup` installs them as root. Returns the exit code."""
    began = time.monotonic()
    try:
        path = built_distribution(load_lab_settings().cache_dir, tell)
    except MissingRequirementError as error:
        print(f"Keycloak {VERSION}: its tests are skipped without root. {error}", flush=True)
        return 0
    except KrautError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"Keycloak {VERSION}: {path} ({time.monotonic() - began:.0f} s)", flush=True)
    return 0


def tell(line: str) -> None:
    """Show progress."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
