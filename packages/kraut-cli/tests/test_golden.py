"""What commands write to stdout, byte for byte: ``golden/<name>.txt``.

To change one on purpose: ``KRAUT_TEST_UPDATE=1 pytest`` and read the difference.
"""

import os
from pathlib import Path

import pytest
from sample import EVENTS, FINE, LOG, NEW, NODE, NOW, POLICY, REFUSED

from kraut_cli import events, get, logs
from kraut_cli.formats.dump import presentable
from kraut_cli.hosts.report import render, report_on
from kraut_cli.resources import Selection, select
from kraut_core.api.kinds import kind_named
from kraut_core.api.v1alpha1.host import Host

GOLDEN = Path(__file__).parent / "golden"
HOSTS = [FINE, REFUSED, NODE, NEW]


def found(*of_kinds):
    return [(Selection(kind_named(kind)), items) for kind, items in of_kinds]


def tables(*of_kinds, wide=False, namespaces=False):
    return get.tables(found(*of_kinds), now=NOW, wide=wide, namespaces=namespaces)


def report(item):
    return render(report_on(Host.model_validate(item), NOW))


SHOWN = presentable(FINE)
ABOUT_WEB1 = events.chosen(EVENTS, select(["host/web1"])[0])

CASES = {
    "get-table": lambda: tables(("Host", HOSTS)),
    "get-wide": lambda: tables(("Host", HOSTS), wide=True),
    "get-all-namespaces": lambda: tables(("Host", HOSTS), namespaces=True),
    "get-several-kinds": lambda: tables(("Host", HOSTS), ("UpgradePolicy", [POLICY])),
    "get-json": lambda: get.document([SHOWN], "json", single=True),
    "get-yaml": lambda: get.document([SHOWN], "yaml", single=True),
    "get-yaml-list": lambda: get.document([SHOWN, POLICY], "yaml", single=False),
    "get-name": lambda: get.document([*HOSTS, POLICY], "name", single=False),
    "events-table": lambda: events.table(ABOUT_WEB1, now=NOW, wide=False, namespaces=False),
    "events-wide": lambda: events.table(events.chosen(EVENTS, None), now=NOW, wide=True, namespaces=True),
    "logs-text": lambda: logs.text_of(LOG),
    "host-test-fine": lambda: report(FINE),
    "host-test-refused": lambda: report(REFUSED),
    "host-test-node": lambda: report(NODE),
    "host-test-new": lambda: report(NEW),
}


@pytest.mark.parametrize("name", CASES)
def test_output(name):
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("KRAUT_TEST_UPDATE"):
        file.write_text(CASES[name]())
    assert CASES[name]() == file.read_text()


def test_no_golden_file_is_left_over():
    assert {file.stem for file in GOLDEN.iterdir()} == set(CASES)


@pytest.mark.parametrize(("item", "fine"), [(FINE, True), (REFUSED, False), (NODE, False), (NEW, False)])
def test_whether_kraut_can_manage_a_host(item, fine):
    found = report_on(Host.model_validate(item), NOW)
    assert found.fine is fine
    assert fine or found.problems
