"""Tables from files and data frames become the same columns."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from otel_ml_processor.commands.table_columns import is_coded, times_ns_of, value_column
from otel_ml_processor.commands.tables import (
    as_table,
    digest_of_files,
    digest_of_table,
    read_tables,
)
from otel_ml_processor.errors import TableError
from tests.data.value_columns import value_column as expected_column

if TYPE_CHECKING:
    from pathlib import Path

NANOSECONDS_OF_2013 = 1_356_998_400_000_000_000
"""1 January 2013, 0:00 UTC."""


def frame() -> pd.DataFrame:
    """Return a frame with a column of every kind, filtered, so that its index has no name and gaps."""
    return pd.DataFrame(
        {
            "number": [1.5, None, -3.0, 9.0],
            "whole": [1, 2, 3, 9],
            "flag": [True, False, True, True],
            "name": ["x", None, "y", "z"],
            "code": pd.Categorical(["u", "v", None, "u"]),
            "class": pd.Categorical([3, 1, 3, 3]),
        }
    ).iloc[:3]


EXPECTED: dict[str, list[object]] = {
    "number": [1.5, None, -3.0],
    "whole": [1, 2, 3],
    "flag": [True, False, True],
    "name": ["x", None, "y"],
    "code": ["u", "v", None],
    "class": [3, 1, 3],
}


def said(table: pa.Table, name: str) -> list[object]:
    """Return a column's kinds with each value, as plain Python."""
    column = value_column(table, name)
    return [
        (
            int(kind),
            None if np.isnan(number) else number,
            column.dictionary[text] if text >= 0 else "",
        )
        for kind, number, text in zip(column.kinds, column.numbers, column.texts, strict=True)
    ]


@pytest.mark.parametrize(
    "make",
    [
        lambda frame: frame[frame["whole"] < 9],
        pl.from_pandas,
        pa.Table.from_pandas,
        lambda frame: pa.concat_tables([pa.table(frame.iloc[:1]), pa.table(frame.iloc[1:])]),
    ],
    ids=["pandas", "polars", "pyarrow", "chunks"],
)
def test_every_data_frame_gives_the_same_columns(make: object) -> None:
    """Texts of whatever encoding, dictionaries, nulls, booleans: the values that a decoder would find on the wire."""
    table = as_table(make(frame()))  # type: ignore[operator]  # a frame to a frame

    assert table.column_names == list(EXPECTED)
    for name, values in EXPECTED.items():
        plain = expected_column(values)
        texts = [plain.dictionary[i] if i >= 0 else "" for i in plain.texts]
        numbers = [None if np.isnan(n) else n for n in plain.numbers]
        assert said(table, name) == list(zip(plain.kinds, numbers, texts, strict=True)), name


def test_an_index_that_only_numbers_rows_is_no_column(tmp_path: Path) -> None:
    """Arrow makes a column of a filtered frame's index, in tables and in Parquet files."""
    filtered = frame()[frame()["whole"] > 1]
    filtered.to_parquet(tmp_path / "t.parquet")

    assert as_table(filtered).column_names == list(EXPECTED)
    assert read_tables([tmp_path / "t.parquet"]).column_names == list(EXPECTED)
    assert as_table(pa.Table.from_pandas(filtered)).column_names == list(EXPECTED)


def test_a_csv_is_read_with_its_types_and_gaps(tmp_path: Path) -> None:
    """Empty fields, NA and NaN are missing in numbers and texts alike; an infinity is a number."""
    path = tmp_path / "t.csv"
    path.write_text("n,t,b\n1,x,true\n,,false\nNaN,NA,\ninf,Infinity,true\n", encoding="utf-8")

    table = read_tables([path])

    assert said(table, "n") == [(2, 1.0, ""), (1, None, ""), (1, None, ""), (2, np.inf, "")]
    assert said(table, "t") == [(4, None, "x"), (1, None, ""), (1, None, ""), (4, None, "Infinity")]
    assert said(table, "b") == [(3, 1.0, ""), (3, 0.0, ""), (1, None, ""), (3, 1.0, "")]


def test_a_column_that_turns_fractional_far_down_is_numeric(tmp_path: Path) -> None:
    """The type is not decided by the first megabyte: three megabytes of whole numbers, then a half."""
    path = tmp_path / "t.csv"
    path.write_text("x\n" + "123456789\n" * 300_000 + "0.5\n", encoding="utf-8")

    column = value_column(read_tables([path]), "x")

    assert len(column) == 300_001
    assert column.numbers[-1] == 0.5


def test_several_files_are_one_table(tmp_path: Path) -> None:
    """In the order given, CSV and Parquet, columns matched by name, whole numbers joined with fractions."""
    (tmp_path / "a.csv").write_text("x,y\n1,a\n", encoding="utf-8")
    pq.write_table(pa.table({"y": ["b"], "x": [2.5]}), tmp_path / "b.parquet")

    table = read_tables([tmp_path / "a.csv", tmp_path / "b.parquet"])

    assert value_column(table, "x").numbers.tolist() == [1.0, 2.5]
    assert value_column(table, "y").dictionary == ("a", "b")


def test_the_end_of_a_name_says_what_a_file_is(tmp_path: Path) -> None:
    """In capitals too, and whatever else the name contains."""
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "from.csv.PARQUET")

    assert read_tables([tmp_path / "from.csv.PARQUET"]).column_names == ["x"]


def test_files_with_different_columns_are_refused(tmp_path: Path) -> None:
    """The message names the second file and the columns in which it differs."""
    (tmp_path / "a.csv").write_text("x,y\n1,a\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("x,z\n1,a\n", encoding="utf-8")

    with pytest.raises(TableError, match=r"b\.csv: expected the columns of .*a\.csv.*\['y', 'z'\]"):
        read_tables([tmp_path / "a.csv", tmp_path / "b.csv"])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("t.csv", b"", "Empty CSV file"),
        ("t.csv", b"a,b\n1\n", "Expected 2 columns, got 1"),
        ("t.csv.gz", b"not gzipped", "header"),
        ("t.parquet", b"", "Parquet"),
        ("t.parquet", b"a,b\n1,2\n", "Parquet"),
        ("t.npz", b"a,b\n1,2\n", "expected arrays as `numpy.savez` writes them"),
        ("t.npz", b"", "expected arrays as `numpy.savez` writes them"),
        ("none/t.npz", None, "no such file"),
        ("t.xlsx", b"", r"expected a file ending in \.csv, \.csv\.gz, \.parquet, \.pq or \.npz"),
        ("none/t.csv", None, "no such file"),
        ("none/t.parquet", None, "no such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, reason: str
) -> None:
    """Missing, empty, torn or of another kind."""
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(TableError, match=reason) as error:
        read_tables([path])

    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_text_that_is_not_utf_8_is_refused_when_its_column_is_used(tmp_path: Path) -> None:
    """Arrow reads it as bytes; the other columns can still be used."""
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,\xff\xfe\n")
    table = read_tables([tmp_path / "t.csv"])

    assert value_column(table, "a").numbers.tolist() == [1.0]
    with pytest.raises(TableError, match=r"column 'b': expected numbers, .* found binary"):
        value_column(table, "b")


@pytest.mark.parametrize("thing", [None, 5, "table", [[1, 2]], object()])
def test_what_is_no_table_is_refused(thing: object) -> None:
    """The message says what was given."""
    with pytest.raises(TableError, match=f"^{type(thing).__name__}: cannot be read as a table"):
        as_table(thing)


def test_a_frame_column_of_mixed_types_is_refused_by_name() -> None:
    """Numbers and texts in one column have no common type; the message names the column."""
    with pytest.raises(TableError, match="mixed"):
        as_table(pd.DataFrame({"mixed": [1, "a"]}))


def test_columns_that_are_neither_number_nor_text_say_what_to_do() -> None:
    """A timestamp is offered as the time, and everything can be left out."""
    table = pa.table({"when": [dt.datetime(2013, 1, 1, tzinfo=dt.timezone.utc)], "list": [[1, 2]]})

    with pytest.raises(TableError, match=r"column 'when'.*--ignore when.*--time when"):
        value_column(table, "when")
    with pytest.raises(TableError, match=r"column 'list': expected numbers.*found list"):
        value_column(table, "list")


def test_huge_whole_numbers_are_rounded_as_on_the_wire() -> None:
    """2**53 + 1 has no float; it becomes the nearest one instead of an error."""
    table = pa.table({"x": pa.array([2**53 + 1, None], type=pa.int64())})

    assert value_column(table, "x").numbers[0] == float(2**53)


def test_a_dictionary_may_hold_a_null() -> None:
    """A code that points to a null entry is missing, like a missing code."""
    coded = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), pa.array(["a", None]))

    assert [kind for kind, _, _ in said(pa.table({"x": coded}), "x")] == [4, 1, 1, 4]


def test_a_column_of_nothing_is_missing_everywhere() -> None:
    """A column without any type, as of an empty CSV column."""
    assert value_column(pa.table({"x": pa.nulls(2)}), "x").kinds.tolist() == [1, 1]


def test_dictionary_coded_columns_are_told_apart() -> None:
    """A category by declaration, also of numbers."""
    table = as_table(frame())

    assert [name for name in table.column_names if is_coded(table, name)] == ["code", "class"]


@pytest.mark.parametrize(
    "column",
    [
        ["2013-01-01T00:00:00Z", None],
        ["2013-01-01 00:00:00", None],
        ["2013-01-01T02:00:00+02:00", None],
        [dt.date(2013, 1, 1), None],
        [dt.datetime(2013, 1, 1), None],  # noqa: DTZ001  a time without a zone is the case
        [dt.datetime(2013, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), None],
        pa.array(["2013-01-01", None]).dictionary_encode(),
        pa.array([1356998400, None], type=pa.timestamp("s")),
    ],
)
def test_times_are_nanoseconds_of_utc(column: object) -> None:
    """Timestamps, dates and ISO texts, with a zone or without (then UTC), and rows without a time."""
    times, has_time = times_ns_of(pa.table({"t": column}), "t")

    assert times[0] == NANOSECONDS_OF_2013
    assert has_time.tolist() == [True, False]


@pytest.mark.parametrize(
    ("column", "found"), [([1356998400], "found int64"), (["soon"], "soon"), ([True], "found bool")]
)
def test_what_is_no_time_is_refused(column: list[object], found: str) -> None:
    """A number could be seconds or milliseconds: it is not guessed."""
    with pytest.raises(TableError, match=f"column 't': expected times?.*{found}"):
        times_ns_of(pa.table({"t": column}), "t")


def test_digests_depend_on_content_alone(tmp_path: Path) -> None:
    """Equal rows in other chunks have the same digest; one changed value has another; files are hashed as they are."""
    whole = pa.table({"x": [1, 2, 3], "y": ["a", "b", "c"]})
    chunks = pa.concat_tables([whole.slice(0, 1), whole.slice(1)])
    (tmp_path / "a").write_bytes(b"ab")
    (tmp_path / "b").write_bytes(b"c")

    assert digest_of_table(whole) == digest_of_table(chunks)
    assert digest_of_table(whole) != digest_of_table(
        pa.table({"x": [1, 2, 4], "y": ["a", "b", "c"]})
    )
    # SHA-256 of "abc", FIPS 180-2 appendix B.1.
    assert digest_of_files([tmp_path / "a", tmp_path / "b"]).startswith("ba7816bf8f01cfea414140de")
