"""``python -m kraut_core.manifests``: print everything a cluster is given before kraut runs on it.

::

    kubectl create namespace kraut-system
    python -m kraut_core.manifests | kubectl apply --server-side -f -
"""

import argparse
import sys

from kraut_core.manifests import NAMESPACE, as_text


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    argparse.ArgumentParser(
        prog="python -m kraut_core.manifests",
        description=f"Print kraut's CustomResourceDefinitions, RBAC and admission policies. The namespace {NAMESPACE} must exist.",
    ).parse_args(arguments)
    sys.stdout.write(as_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
