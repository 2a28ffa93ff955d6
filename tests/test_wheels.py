"""Every wheel installs alone into an empty environment and starts there.

Nothing else stops a package of the workspace from importing what only another one declares.
"""

import os
import shutil
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {
    file.parent.name: tomllib.loads(file.read_text())["project"] for file in ROOT.glob("packages/*/pyproject.toml")
}

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if module.name not in sys.argv[2:]:
        importlib.import_module(module.name)
"""

NEEDS_MORE = {"kraut_lab": ["kraut_lab.pytest_plugin"]}
"""A plugin of pytest's: whoever has pytest loads it."""

BARE_CORE = [
    "kraut_core.errors",
    "kraut_core.redaction",
    "kraut_core.api.conformance",
    "kraut_core.contracts",
    "kraut_core.crd",
]


def uv(*arguments, **options):
    program = os.environ.get("UV") or shutil.which("uv")
    assert program, "uv is missing: run the tests by make, which has its own"
    return run([program, *arguments], **options)


def run(argv, **options):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "KRAUT_"))}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=300, **options)
    assert done.returncode == 0, f"{' '.join(map(str, argv))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="session")
def wheels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheels")
    uv("build", "--quiet", "--all-packages", "--wheel", "--out-dir", str(folder), cwd=ROOT)
    return folder


@pytest.fixture(scope="session")
def constraints(tmp_path_factory):
    """The versions of the lock file: a release of somebody else's does not fail this test."""
    file = tmp_path_factory.mktemp("constraints") / "constraints.txt"
    arguments = (
        "--frozen",
        "--all-packages",
        "--all-extras",
        "--no-dev",
        "--no-hashes",
        "--no-emit-workspace",
        "--quiet",
    )
    uv("export", *arguments, "--output-file", str(file), cwd=ROOT)
    return file


@pytest.fixture
def installed(wheels, constraints, tmp_path):
    """``installed("kraut-core[kube]")`` makes an environment with that and returns its folder of programs."""

    def install(requirement):
        environment = tmp_path / "environment"
        venv.create(environment, symlinks=True)
        options = ("--quiet", "--find-links", str(wheels), "--constraint", str(constraints))
        uv("pip", "install", *options, "--python", str(environment / "bin" / "python"), requirement)
        return environment / "bin"

    return install


def test_there_is_a_wheel_of_every_package(wheels):
    assert {file.name.split("-")[0].replace("_", "-") for file in wheels.glob("*.whl")} == set(PACKAGES)


@pytest.mark.parametrize("name", sorted(set(PACKAGES) - {"kraut-core"}))
def test_a_wheel_stands_alone(installed, name, tmp_path):
    programs = installed(name)
    module = name.replace("-", "_")
    run([programs / "python", "-c", IMPORT_ALL, module, *NEEDS_MORE.get(module, [])], cwd=tmp_path)
    for script in PACKAGES[name].get("scripts", {}):
        assert run([programs / script, "--help"], cwd=tmp_path)


def test_core_alone_has_the_models(installed, tmp_path):
    programs = installed("kraut-core")
    run([programs / "python", "-c", f"import {', '.join(BARE_CORE)}"], cwd=tmp_path)


def test_core_with_its_extras_has_everything(installed, tmp_path):
    extras = ",".join(PACKAGES["kraut-core"]["optional-dependencies"])
    programs = installed(f"kraut-core[{extras}]")
    run([programs / "python", "-c", IMPORT_ALL, "kraut_core"], cwd=tmp_path)
    definitions = run([programs / "python", "-m", "kraut_core.crd"], cwd=tmp_path)
    assert definitions == "---\n".join(
        file.read_text() for file in sorted((ROOT / "charts/kraut-crds/templates").iterdir())
    )
    documents = "import kraut_core.manifests as m; print(len(m.all_documents()))"
    assert int(run([programs / "python", "-c", documents], cwd=tmp_path)) > 10


@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_a_package_is_bound_to_core_and_to_this_python(name):
    project = PACKAGES[name]
    assert project["requires-python"] == ">=3.11"
    assert sys.version_info >= (3, 11)
    for dependency in project["dependencies"]:
        if dependency.startswith("kraut-"):
            assert dependency.startswith("kraut-core"), "applications import kraut-core and nothing of each other"
            assert "<" in dependency, "a bound above: core's next breaking release is not this one"
