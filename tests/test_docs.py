"""Documents say what is: links resolve, settings and verbs exist, every package tells what it is and what changed."""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
from settings_reference import components

from kraut_cli.root import root
from kraut_core.settings import describe_settings

ROOT = Path(__file__).resolve().parent.parent
TRACKED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split()  # fmt: skip
DOCUMENTS = [pytest.param(ROOT / name, id=name) for name in sorted(set(TRACKED)) if (ROOT / name).is_file()]
PACKAGES = [
    pytest.param(folder.parent, id=folder.parent.name) for folder in sorted(ROOT.glob("packages/*/pyproject.toml"))
]

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(<?([^)>\s]+)>?\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
NOT_SETTINGS = {"KRAUT_TEST_UPDATE", "KRAUT_SWEEP_SEED"}
"""Variables of the tests themselves."""


def prose(document):
    return FENCE.sub("", document.read_text())


def anchors(document):
    """GitHub's anchors of the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(document):
    """The commands of `kraut` that a document shows, in blocks and in its text, without what follows in a pipeline."""
    text = document.read_text().replace("\\\n", " ")
    blocks = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown = [line for block in blocks for line in re.findall(r"^(?:[$#] )?(kraut .*)$", block, re.MULTILINE)]
    shown += [code for code in re.findall(r"`(kraut [^`]+)`", FENCE.sub("", text)) if "ALL=" not in code]
    return [" ".join(re.split(r" [|>;&#]", command)[0].split()) for command in shown]


def resolved(words):
    """The command that the words name, and what is left of them."""
    context, command = click.Context(root, info_name="kraut"), root
    while words and isinstance(command, click.Group):
        name, *words = words
        command = command.get_command(context, name)
        assert command is not None, f"there is no command {name}"
        context = click.Context(command, info_name=name, parent=context)
    return context, words


def makefile_targets():
    text = (ROOT / "Makefile").read_text()
    described = set(re.findall(r"^([a-z][a-z-]*):.*## \S", text, re.MULTILINE))
    return described, set(re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_resolve(document):
    for groups in LINK.findall(prose(document)):
        link = groups[0] or groups[1]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{link} leads nowhere"
        assert target.is_relative_to(ROOT), f"{link} leads out of the repository"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_settings_named_in_documents_exist(document):
    known = {setting.variable for _, cls in components() for setting in describe_settings(cls)}
    named = set(re.findall(r"\bKRAUT_[A-Z0-9_]*[A-Z0-9]\b(?!_?\*|<)", document.read_text()))
    unknown = {
        name for name in named - known - NOT_SETTINGS if not any(other.startswith(f"{name}_") for other in known)
    }
    assert not unknown


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_shown_in_documents_exist_with_their_options(document):
    for shown in commands(document):
        context, words = resolved(shlex.split(shown)[1:])
        options = [option for option in context.command.get_params(context) if isinstance(option, click.Option)]
        known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
        given = {word.partition("=")[0] for word in words[: words.index("--") if "--" in words else None]}
        assert {word for word in given if word.startswith("-") and word != "-"} <= known, shown
        missing = [option.opts for option in options if option.required and not given & {*option.opts}]
        assert not (words and missing), f"{shown} lacks an option that it cannot do without"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_verbs_named_in_documents_exist(document):
    described, _ = makefile_targets()
    named = set(re.findall(r"(?:`|\$ |&& )(?:[A-Z_]+=\S+ )*make ([a-z][a-z-]*)", document.read_text()))
    assert named <= described


def test_every_verb_is_described():
    described, phony = makefile_targets()
    assert described == phony


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_tells_what_it_is_and_what_changed(package):
    readme, changelog = (package / "README.md").read_text(), (package / "CHANGELOG.md").read_text()
    assert readme.startswith(f"# {package.name}\n")
    assert "docs/reference/settings.md" in readme, "say which settings it has"
    assert re.search(r"^## Unreleased$", changelog, re.MULTILINE)
    assert "keepachangelog.com" in changelog


@pytest.mark.parametrize("record", sorted(path.name for path in (ROOT / "docs/decisions").glob("*.md")))
def test_a_record_has_its_number_status_and_sections(record):
    text = (ROOT / "docs/decisions" / record).read_text()
    number = record.split("-")[0]
    assert re.fullmatch(r"[0-9]{4}", number)
    assert text.startswith(f"# {number}: ")
    assert re.search(r"^Status: (proposed|accepted|superseded by [0-9]{4}) \(\d{4}-\d\d-\d\d\)$", text, re.MULTILINE)
    for section in ("## Context", "## Decision"):
        assert section in text
