"""Inputs of a sweep that are not drawn N(0, I): of one length, or rows of a Parquet file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gradsim.activations import AxisActivation, OwnActivation
from gradsim.errors import SweepError
from gradsim.sweep.cells import FILE_MARK, Cell, round12
from gradsim_core.activations import Activation
from gradsim_core.architectures.network import LENGTHS, widths_of

_DIGITS = 64
_SMALLEST, _LARGEST = 1e-30, 1e30  # so that squares of float32 are numbers
FILE_ALLOWED = "the name of a Parquet file of numbers, a row for each input"
_REMEDY = 'Write for example input_file = "images.parquet"'
Rows = NDArray[np.float64]


def length_of(value: object) -> float | str:
    """Return a value of the axis ``input_length``."""
    if isinstance(value, str) and value in LENGTHS:
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and 1e-6 <= value <= 1e6:
        return round12(float(value))
    allowed = f"a number from 1e-6 to 1e6, the root mean square of every input, or one of {', '.join(LENGTHS)}"
    raise SweepError("input_length", value, allowed, 'Write for example input_length = "sphere"')


def file_text(value: object) -> tuple[str]:
    """Return the only value of the axis ``input_file``: a name and the digest of the file's numbers; "" for none."""
    given = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    if given == "":
        return ("",)
    if not isinstance(given, (str, Path)):
        raise SweepError("input_file", value, FILE_ALLOWED, _REMEDY)
    _, mark, digest = str(given).rpartition(FILE_MARK)
    if mark and len(digest) == _DIGITS and set(digest) <= set("0123456789abcdef"):
        return (str(given),)
    return (f"{given}{FILE_MARK}{digest_of(_numbers(str(given)))}",)


def digest_of(rows: Rows) -> str:
    """Return the SHA-256 of numbers and their shape, in hexadecimal digits."""
    return hashlib.sha256(repr(rows.shape).encode() + np.ascontiguousarray(rows).tobytes()).hexdigest()


def _numbers(name: str) -> Rows:
    """All numbers of a file, a row for each input."""
    try:
        table = pq.read_table(name)
    except (OSError, pa.ArrowException) as error:
        reason = (getattr(error, "strerror", None) or str(error)).splitlines()[0].rstrip(".")
        reason = f"there is none at {Path(name).absolute()}" if isinstance(error, FileNotFoundError) else reason
        raise SweepError("input_file", name, f"{FILE_ALLOWED} ({reason})", _REMEDY) from None
    try:
        columns = [np.asarray(_column(table[i]), np.float64) for i in range(table.num_columns)]
        rows = np.column_stack(columns) if columns else np.empty((0, 0))
    except (ValueError, TypeError, pa.ArrowException):
        rows = np.empty((0, 0))
    sizes = np.abs(rows[rows != 0.0])
    if rows.ndim != 2 or not rows.size or not ((sizes >= _SMALLEST) & (sizes <= _LARGEST)).all():
        allowed = f"{FILE_ALLOWED}, 0 or from 1e-30 to 1e30 in size, in columns or as one of lists of equal lengths"
        raise SweepError("input_file", name, allowed, "Leave out other columns and rows without a number")
    return np.ascontiguousarray(rows)


def _column(column: pa.ChunkedArray) -> list[object] | NDArray[np.float64]:
    kind = column.type
    listed = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_large_list(kind)
    number = kind.value_type if listed else kind
    if not (pa.types.is_integer(number) or pa.types.is_floating(number)):
        raise TypeError(f"{kind} is no number")
    return list(column.to_pylist()) if listed else np.asarray(column.to_numpy(), np.float64)


@lru_cache(maxsize=4)
def _checked(text: str) -> Rows:
    name, _, digest = text.rpartition(FILE_MARK)
    rows = _numbers(name)
    if digest_of(rows) != digest:
        raise SweepError("input_file", name, "the file that the sweep was made with", "Restore it, or make a new sweep")
    rows.setflags(write=False)
    return rows


def rows_of(cell: Cell) -> Rows | None:
    """Return the inputs of a cell, (inputs, numbers), if they come from a file.

    Raises
    ------
    SweepError
        If the file is not there, has other numbers than when the sweep was made, or not as many as the network needs.
    """
    return _fitting(cell, _checked(cell.input_file)) if cell.input_file else None


def _fitting(cell: Cell, rows: Rows) -> Rows:
    """The rows that are inputs of a cell."""
    inputs, name = widths_of(cell.network, cell.depth, cell.width)[0], cell.input_file.rpartition(FILE_MARK)[0]
    if rows.shape[1] != inputs:
        allowed = f"a file with {inputs} numbers a row, as many as the network has inputs (it has {rows.shape[1]})"
        remedy = f"Write layers = [{rows.shape[1]}, …] or width = {rows.shape[1]}"
        raise SweepError("input_file", name, allowed, remedy)
    if len(rows) < cell.inputs:
        raise SweepError(
            "inputs", cell.inputs, f"at most {len(rows)}, the rows of {name}", f"Write inputs = {len(rows)}"
        )
    return rows[: cell.inputs]


def root_mean_square(cell: Cell, activation: str | Activation) -> float:
    """Return the root mean square of every input of a cell; 0 where inputs are as they are drawn.

    Raises
    ------
    SweepError
        If it is ``q_star``, and the mean square of preactivations has no fixed point above that of the biases.
    """
    length = cell.input_length
    if isinstance(length, float | int):
        return float(length)
    return {"random": 0.0, "sphere": 1.0}[length] if length != "q_star" else _at_fixed_point(cell, activation)


def _at_fixed_point(cell: Cell, activation: str | Activation) -> float:
    from gradsim.theory import mean_field

    q_star = float(mean_field(activation, cell.sigma_w, cell.sigma_b).q_star)
    square = (q_star - cell.sigma_b**2) / cell.sigma_w**2
    if not 1e-12 <= square <= 1e12:
        allowed = f"sphere or a number where q has no fixed point (sigma_w = {cell.sigma_w:g}: q_star = {q_star:g})"
        raise SweepError("input_length", "q_star", allowed, 'Write input_length = "sphere"')
    return round12(float(np.sqrt(square)))


def check_inputs(cells: Iterable[Cell], activations: dict[str, AxisActivation]) -> None:
    """Refuse inputs that cells cannot have. A file that was lost or changed since is missed only by what simulates."""
    found: dict[str, Rows | None] = {"": None}
    for cell in cells:
        activation = activations[cell.activation]
        if not isinstance(activation, OwnActivation):  # of a dataset, without its functions
            root_mean_square(cell, activation)
        if cell.input_file not in found:
            found[cell.input_file] = _found(cell.input_file)
        rows = found[cell.input_file]
        if rows is not None:
            _fitting(cell, rows)


def _found(text: str) -> Rows | None:
    """The rows of a file, if it is there and has the numbers with which the sweep was made."""
    try:
        return _checked(text)
    except SweepError:
        return None
