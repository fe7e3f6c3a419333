"""Tables as columns: CSV and Parquet files, and every data frame that speaks Arrow."""

from __future__ import annotations

import difflib
import hashlib
import io
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from otel_ml_processor.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = [
    "as_table",
    "check_columns",
    "digest_of_files",
    "digest_of_table",
    "kind_of_table",
    "read_tables",
]

_CHUNK_BYTES: Final = 1 << 20
_WHOLE_FILE_BYTES: Final = 1 << 30
_FEATURE_NAMES: Final = "feature_names"
_INDEX_PREFIX: Final = "__index_level_"
"""What pandas calls an index that has no name, in frames and in Parquet files; it numbers rows and is no column."""


def read_tables(paths: Sequence[Path]) -> pa.Table:
    """
    Return the rows of all files, in the order given; `.parquet` or `.pq` is Parquet, `.csv` and `.csv.gz` CSV with a header, `.npz` arrays of numpy.

    In a CSV an empty field, `NA`, `NaN` and `null` are missing. Of the arrays each with one dimension is a column; one with two is one per
    column of its own, called as the array `feature_names` says, else by its name and a number.

    Raises:
        TableError: If a file is missing, unreadable or of another kind, or the files have different columns.
    """
    tables = [_read(path) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if set(table.column_names) != set(tables[0].column_names):
            differing = sorted(set(table.column_names) ^ set(tables[0].column_names))
            raise TableError(f"{path}: expected the columns of {paths[0]}, differs in {differing}")
    if len(tables) == 1:
        return tables[0]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise TableError(f"{paths[0]} and following: {_first_line(error)}") from None


def as_table(frame: object) -> pa.Table:
    """
    Return *frame* (pandas, polars, pyarrow, a mapping of arrays, all that has `__arrow_c_stream__`) as an Arrow table.

    Raises:
        TableError: If it is no table, or one of its columns mixes types.
    """
    try:
        table = pa.table(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        kind = type(frame).__name__
        raise TableError(f"{kind}: cannot be read as a table: {_first_line(error)}") from None
    return _without_index(table)


def check_columns(table: pa.Table, wanted: Sequence[str]) -> None:
    """
    Check that *table* has rows and every wanted column exactly once.

    Raises:
        TableError: Naming the column, the nearest name and all that there are.
    """
    if table.num_rows == 0:
        raise TableError("expected at least one row, found none")
    known = table.column_names
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ";"
            raise TableError(f"no column {name!r}{hint} known: {', '.join(known)}")
        if known.count(name) > 1:
            raise TableError(f"column {name!r}: expected one of that name, found several")


def digest_of_files(paths: Sequence[Path]) -> str:
    """Return the SHA-256 of the files' bytes, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()


def digest_of_table(table: pa.Table) -> str:
    """Return the SHA-256 of the table's content as an Arrow stream, in hexadecimal."""
    sink = _Digest()
    plain = table.replace_schema_metadata(None).combine_chunks()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), plain.schema) as stream:
        stream.write_table(plain)
    return sink.digest.hexdigest()


class _Digest(io.RawIOBase):
    """A file that keeps the hash of what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]  # whatever Arrow hands over is a buffer
        self.digest.update(view)
        return view.nbytes


def _read(path: Path) -> pa.Table:
    name = path.name.lower()
    is_csv = name.endswith((".csv", ".csv.gz"))
    if not is_csv and not name.endswith((".parquet", ".pq", ".npz")):
        raise TableError(f"{path}: expected a file ending in .csv, .csv.gz, .parquet, .pq or .npz")
    try:
        if name.endswith(".npz"):
            return _arrays(path)
        return _csv(path) if is_csv else _without_index(pyarrow.parquet.read_table(path))
    except FileNotFoundError:
        raise TableError(f"{path}: no such file") from None
    except (OSError, ValueError, zipfile.BadZipFile, pa.ArrowException) as error:
        raise TableError(f"{path}: {_first_line(error)}") from None


def kind_of_table(path: Path) -> str:
    """Return what kind of file *path* is, by its name: `Parquet`, `npz` or `CSV`."""
    suffix = path.suffix.lower()
    return {".parquet": "Parquet", ".pq": "Parquet", ".npz": "npz"}.get(suffix, "CSV")


def _arrays(path: Path) -> pa.Table:
    # What is no archive numpy takes for a pickle, and tells how to run it.
    if path.is_file() and not zipfile.is_zipfile(path):
        raise TableError(
            f"{path}: expected arrays as `numpy.savez` writes them, found another file"
        )
    with np.load(path, allow_pickle=False) as held:
        arrays = {name: held[name] for name in held.files}
    names = arrays.pop(_FEATURE_NAMES, None)
    columns: dict[str, NDArray[Any]] = {}
    for name, array in arrays.items():
        columns |= dict(_columns_of(name, array, names))
    return pa.table(columns)


def _columns_of(
    name: str, array: NDArray[Any], names: NDArray[Any] | None
) -> Iterator[tuple[str, NDArray[Any]]]:
    if array.ndim == 1:
        yield name, array
        return
    if array.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise TableError(f"array {name!r}: expected one or two dimensions, found {array.ndim}")
    if names is not None and names.shape != (array.shape[1],):
        raise TableError(
            f"array {_FEATURE_NAMES!r}: expected {array.shape[1]} names for the columns of {name!r}, found shape {names.shape}"
        )
    for i in range(array.shape[1]):
        yield str(names[i]) if names is not None else f"{name}_{i}", array[:, i]


def _without_index(table: pa.Table) -> pa.Table:
    return table.drop_columns([n for n in table.column_names if n.startswith(_INDEX_PREFIX)])


def _csv(path: Path) -> pa.Table:
    try:
        return _csv_in_blocks(path, _CHUNK_BYTES)
    except pa.ArrowInvalid:
        # Types are guessed from the first block: a column of whole numbers that has a fraction further down fails there.
        return _csv_in_blocks(path, _WHOLE_FILE_BYTES)


def _csv_in_blocks(path: Path, size_bytes: int) -> pa.Table:
    return pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(block_size=size_bytes),
        convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True),
    )


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
