"""Tables of numbers: what is tolerated, and that every defect is named with its line."""

from __future__ import annotations

import numpy as np
import pytest

from datamodules.har.parsing.named_table import parse_named_table
from datamodules.har.parsing.number_table import parse_numbers, read_number_table


def test_agrees_with_numpy_whatever_the_blanks(tmp_path):
    values = np.random.default_rng(0).normal(size=(50, 7))
    path = tmp_path / "table.dat"
    np.savetxt(path, values, fmt="%.9g")
    expected = np.loadtxt(path)[:, [0, 2, 6]]
    lines = path.read_text().splitlines()
    for text in (
        "\n".join(lines) + "\n",
        "\n".join(lines),
        "\r\n".join(f"  {line}  " for line in lines) + "\r\n\r\n",
        "\n\n".join(line.replace(" ", "\t") for line in lines) + "\n\n",
        "\ufeff" + "\n".join(lines),
    ):
        path.write_bytes(text.encode())
        np.testing.assert_allclose(read_number_table(path, columns=7, take=[0, 2, 6]), expected, rtol=1e-12)


def test_commas_and_missing_values():
    data = b"1, 2,NaN\n4,,6\r\n"
    found = parse_numbers(data, "a.csv", columns=3, take=range(3), delimiter=",")
    np.testing.assert_array_equal(found, [[1, 2, np.nan], [4, np.nan, 6]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "x.dat is empty"),
        ("  \n\n", "x.dat is empty"),
        ("1 2 3\n1 2\n1 2 3\n", "x.dat, line 2 has 2 columns, expected 3; the file is damaged"),
        ("1 2 3\n\n1 2 3 4\n", "x.dat, line 3 has 4 columns, expected 3"),
        ("1 2 3\n1 2 3\n1 2", "x.dat, line 3 has 2 columns, expected 3; the file is cut off there"),
        ("1 2 3\n1 two 3\n", "x.dat, line 2, column 2 is 'two', expected a number"),
    ],
)
def test_defects_are_named_with_their_line(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse_numbers(text.encode(), "x.dat", columns=3, take=range(3))
    assert "\n" not in str(caught.value)


def test_a_short_line_is_found_far_into_a_large_file():
    line = b"1.25 2.5 3.75\n"
    count = 3_000_000
    data = line * count + b"1.25 2.5\n" + line
    with pytest.raises(ValueError, match=f"line {count + 1} has 2 columns"):
        parse_numbers(data, "x.dat", columns=3, take=[0])


def test_named_columns_in_any_capitals_and_order():
    table = parse_named_table(b'"T", Acc_X ,label\r\n1,2.5, walk\r\n2,NaN,\r\n', "a.csv")
    np.testing.assert_array_equal(table.numbers(["acc_x", "t"]), [[2.5, 1], [np.nan, 2]])
    assert table.texts("Label").tolist() == ["walk", ""]


def test_numbered_labels_stay_whole_where_some_are_missing():
    table = parse_named_table(b"a,label\n1,3\n2,\n", "a.csv")
    assert table.texts("label").tolist() == ["3", ""]


def test_missing_column_names_the_nearest():
    table = parse_named_table(b"timestamp,x\n1,2\n", "a.csv")
    with pytest.raises(ValueError, match=r"a.csv has no column 'time_stamp', found .* did you mean timestamp"):
        table.numbers(["time_stamp"])
    with pytest.raises(ValueError, match=r"a.csv, line 3, column x is 'oops', expected a number"):
        parse_named_table(b"x,y\n1,2\noops,3\n", "a.csv").numbers(["x"])
    with pytest.raises(ValueError, match=r"a.csv, line 3 has 1 columns, expected 2"):
        parse_named_table(b"x,y\n1,2\n1\n", "a.csv")


def test_quoted_fields_may_hold_the_delimiter():
    table = parse_named_table(b'x,what\n1,"a, b"\n2,"c"\n', "a.csv")
    assert table.texts("what").tolist() == ["a, b", "c"]
    with pytest.raises(ValueError, match=r"a\.csv, line 3 has 1 columns, expected 2"):
        parse_named_table(b'x,what\n1,"a, b"\n2\n', "a.csv")
