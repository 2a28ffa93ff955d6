"""Every fault has its test, every mark is of a fault that there is, and the report says what the marks say."""

import ast

import fault_matrix
from fault_catalogue import ABSENT, INVARIANTS, ROWS
from fault_matrix import REPORT, Shown, find_marks, gaps, outdated, render, strangers

MARKS = find_marks()


def test_every_fault_has_a_test_and_every_invariant_of_a_row_is_asserted():
    assert gaps(MARKS) == []


def test_every_mark_is_of_a_fault_that_there_is():
    assert strangers(MARKS) == []


def test_a_fault_without_a_test_and_an_invariant_that_nobody_asserts_are_named():
    left = [mark for mark in MARKS if mark.row != 4]
    named = ["row 4: no test of 'half-open watch'"]
    assert [sentence for sentence in gaps(left) if sentence.startswith("row 4:")] == named


def test_an_invariant_that_is_asserted_under_another_fault_of_its_row_only_is_named():
    left = [mark for mark in MARKS if (mark.row, mark.fault) != (5, "stale GET")]
    one = Shown(5, "stale GET", ("I1", "I2", "I9"), "tests/test_x.py::test_y", "lab")
    assert gaps([*left, one]) == ["row 5: no test asserts I11 under 'stale GET'"]


def test_nothing_is_excused_without_need():
    assert outdated(MARKS) == []
    shown = Shown(14, "MaxStartups=2", ("I10",), "tests/test_x.py::test_y", "lab")
    assert outdated([*MARKS, shown]) == [
        "row 14: I10 under 'MaxStartups=2' is asserted, or wanted by no row; take the excuse away"
    ]


def test_a_mark_of_nothing_is_named():
    odd = Shown(9, "a fault of no row", ("I99",), "tests/test_x.py::test_y", "unit")
    assert strangers([odd]) == [
        "tests/test_x.py::test_y: row 9 has no fault 'a fault of no row'",
        "tests/test_x.py::test_y: there is no invariant I99",
    ]


def test_the_stage_is_the_last_that_a_test_or_its_module_names():
    stages = {mark.node: mark.stage for mark in MARKS}
    assert stages["tests/lab/sweep/test_crash_points.py::test_every_crash_point_changes_nothing"] == "sweep"
    assert stages["tests/lab/sweep/test_crash_points.py::test_a_sample_of_crash_points_changes_nothing"] == "lab"


def test_a_row_names_only_invariants_that_there_are():
    assert {name for row in ROWS for name in row.must_hold} <= set(INVARIANTS)


def test_every_number_has_a_row_or_says_why_it_has_none():
    numbers = [*(row.number for row in ROWS), *ABSENT]
    assert sorted(numbers) == list(range(1, max(numbers) + 1))


def test_every_mark_in_the_sources_is_found():
    files = [
        file
        for pattern in ("packages/*/tests", "tests")
        for folder in fault_matrix.ROOT.glob(pattern)
        for file in folder.rglob("test_*.py")
    ]
    calls = [
        node
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault"
    ]
    assert len(calls) == len(MARKS)


def test_the_report_is_what_the_marks_say():
    assert REPORT.read_text() == render(), "run `make generate` and commit docs/reports/fault-matrix.md"
