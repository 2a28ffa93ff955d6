"""What a graph of imports cannot say: where a library may be named at all, and who reads the environment.

The layers themselves are import-linter's (``make lint``, pyproject.toml), which refuses a module that no layer names.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted(ROOT.glob("packages/*/src/**/*.py"))

HOMES = {
    "asyncssh": ("kraut_worker.adapters",),
    "kubernetes_asyncio": ("kraut_core.kube", "kraut_worker.adapters"),
    "aiohttp": ("kraut_core.kube", "kraut_core.identity.adapters", "kraut_worker.adapters"),
    "joserfc": ("kraut_core.identity",),
    "authlib": ("kraut_core.identity",),
    "prometheus_client": ("kraut_core", "kraut_operator", "kraut_worker", "kraut_oidc_proxy"),
    "uvicorn": ("kraut_core.serving", "kraut_api", "kraut_oidc_proxy"),
    "starlette": ("kraut_core.probes", "kraut_api"),
    "click": ("kraut_cli", "kraut_lab"),
    "rich": ("kraut_cli", "kraut_lab"),
    "requests": (),
    "paramiko": (),
    "kubernetes": (),
}

READERS_OF_THE_ENVIRONMENT = {
    "kraut_cli.hosts.setup": "passes it on to ssh with one variable more; nothing is read from it",
    "kraut_lab.assets.build": "passes it on to go with two variables more; nothing is read from it",
    "kraut_lab.watchdog": "passes it on: posix_spawn wants it spelt out; nothing is read from it",
}

LONG_FUNCTIONS = {
    "kraut_operator.metrics.__init__": "a table of metrics",
    "kraut_oidc_proxy.metrics.__init__": "a table of metrics",
}


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).parts
    return ".".join(parts[parts.index("src") + 1 :]).removesuffix(".py").removesuffix(".__init__")


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def environment_reads(file: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse(file.read_text())):
        named = node.attr if isinstance(node, ast.Attribute) else node.name if isinstance(node, ast.alias) else ""
        if named in {"environ", "environb", "getenv", "getenvb"}:
            yield getattr(node, "lineno", 0)


MODULES = [pytest.param(file, id=module_of(file)) for file in FILES]


def test_there_is_something_to_look_at():
    assert len(FILES) > 50


@pytest.mark.parametrize("file", MODULES)
def test_a_library_is_named_at_home_only(file):
    module = module_of(file)
    for name in imported(file):
        homes = HOMES.get(name.split(".")[0])
        if homes is not None:
            at_home = any(module == home or module.startswith(f"{home}.") for home in homes)
            assert at_home, f"{module} imports {name}, which belongs into {' or '.join(homes) or 'nothing'}"


def test_every_home_is_a_module():
    homes = {home for homes in HOMES.values() for home in homes}
    assert homes <= {module_of(file) for file in FILES}


@pytest.mark.parametrize("file", MODULES)
def test_only_entry_points_and_settings_read_the_environment(file):
    module = module_of(file)
    if module.rsplit(".", 1)[-1] in {"__main__", "settings"} or module in READERS_OF_THE_ENVIRONMENT:
        return
    assert list(environment_reads(file)) == [], f"{module}: make it a setting (kraut_core.settings)"


def test_every_exception_is_still_one():
    assert {module_of(file) for file in FILES if list(environment_reads(file))} >= set(READERS_OF_THE_ENVIRONMENT)


@pytest.mark.parametrize("file", MODULES)
def test_a_module_and_its_functions_stay_small(file):
    text = file.read_text()
    assert len(text.splitlines()) <= 350, "split it: one concept per file"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            short = node.end_lineno - node.lineno < 60
            assert short or f"{module_of(file)}.{node.name}" in LONG_FUNCTIONS, f"{node.name} is too long: split it"
