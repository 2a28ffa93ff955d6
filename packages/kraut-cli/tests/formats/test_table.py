from kraut_cli.formats.table import render


def test_columns_are_aligned_and_lines_have_no_trailing_blanks():
    assert render(["NAME", "OS"], [["a", "Debian"], ["longer", ""]]) == "NAME     OS\na        Debian\nlonger   -\n"


def test_a_cell_never_breaks_the_table():
    assert render(["A", "B"], [["one\ntwo\tthree", "x"]]).splitlines() == ["A               B", "one two three   x"]
