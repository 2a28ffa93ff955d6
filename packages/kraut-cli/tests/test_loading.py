"""Commands of other packages: found, listed without being imported, and broken ones harm nobody else."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from kraut_cli import __main__
from kraut_cli.root import COMMANDS, root


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """``plugin(source, name=...)`` installs a distribution with one command, as a wheel would lie in site-packages."""

    def install(source, *, name="fleet", target="fleet_plugin:command"):
        folder = tmp_path / f"kraut_fleet_{name}-1.0.dist-info"
        folder.mkdir()
        metadata = "Metadata-Version: 2.1\nName: kraut-fleet\nVersion: 1.0\nSummary: Fleets of hosts: many.\n"
        (folder / "METADATA").write_text(metadata)
        (folder / "entry_points.txt").write_text(f"[kraut.commands]\n{name} = {target}\n")
        (tmp_path / "fleet_plugin.py").write_text(source)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "fleet_plugin", raising=False)

    yield install
    sys.modules.pop("fleet_plugin", None)


WORKING = "import click\n@click.command()\ndef command():\n    click.echo('many hosts')\n"


def test_a_command_of_another_package_is_run(plugin):
    plugin(WORKING)
    result = CliRunner().invoke(root, ["fleet"])
    assert (result.exit_code, result.stdout) == (0, "many hosts\n")


@pytest.mark.parametrize(
    ("source", "target", "found"),
    [
        (
            "import nothing_of_that_name\n",
            "fleet_plugin:command",
            "ModuleNotFoundError: No module named 'nothing_of_that_name'",
        ),
        ("command = 1 / 0\n", "fleet_plugin:command", "ZeroDivisionError"),
        ("def (:\n", "fleet_plugin:command", "SyntaxError"),
        ("", "fleet_plugin:command", "AttributeError"),
        ("command = 'no command'\n", "fleet_plugin:command", "TypeError: expected a click command, found str"),
        ("raise SystemExit(0)\n", "fleet_plugin:command", "SystemExit"),
    ],
)
def test_a_broken_one_is_one_sentence_and_the_others_work(plugin, source, target, found):
    plugin(source, target=target)
    broken = CliRunner().invoke(root, ["fleet"])
    assert broken.exit_code == 1
    assert broken.stderr.startswith(
        "error: the command 'fleet' comes with the package kraut-fleet, which cannot be loaded ("
    )
    assert found in broken.stderr
    assert broken.stderr.count("\n") == 1
    assert CliRunner().invoke(root, ["version", "--client"]).exit_code == 0
    assert CliRunner().invoke(root, ["--help"]).exit_code == 0


def test_the_list_of_commands_imports_none(plugin):
    plugin("raise RuntimeError('imported')\n")
    result = CliRunner().invoke(root, ["--help"])
    assert result.exit_code == 0
    assert "Fleets of hosts." in result.stdout
    assert "fleet_plugin" not in sys.modules


def test_a_package_cannot_replace_a_command_of_kraut(plugin):
    plugin(WORKING, name="version")
    assert "many hosts" not in CliRunner().invoke(root, ["version", "--client"]).stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_says_what_the_command_says_of_itself(name):
    command = root.get_command(None, name)
    assert command is not None
    assert command.get_short_help_str(limit=200) == COMMANDS[name].help


def test_help_imports_nothing_that_costs():
    heavy = {"aiohttp", "asyncio", "cryptography", "kubernetes_asyncio", "msgspec", "pydantic", "rich", "yaml"}
    program = f"import sys; sys.argv = ['kraut', '--help']\nfrom kraut_cli.__main__ import main\ntry: main()\nexcept SystemExit: print({heavy} & set(sys.modules), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stderr == "set()\n"


@pytest.mark.parametrize(
    ("argv0", "name"),
    [("/usr/bin/kraut", "kraut"), ("/usr/local/bin/kubectl-kraut", "kubectl kraut"), ("__main__.py", "kraut")],
)
def test_the_name_that_was_typed(argv0, name):
    assert __main__.program_name(argv0) == name
