"""The tables of a dataset: columns with types, units and descriptions, and how they are encoded as Parquet.

Floats are stored without a dictionary, split into byte streams, whole numbers as differences, strings with a
dictionary, all zstd-compressed. That takes 40 % less than Parquet's defaults, for both floats and histograms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gradsim.errors import CorruptDataError, SchemaVersionError
from gradsim_core.results.of_inputs import OF_INPUTS, OfInputs
from gradsim_core.results.quantities import LN, QUANTITIES, Quantity

SCHEMA_VERSION = 2
"""Written into every file but those of `EXTENDED_VERSION`; lower ones are read."""

EXTENDED_VERSION = 3
"""Written into ``run.json`` of a dataset with extensions, which older versions refuse; higher ones are refused."""

ROW_GROUP = 2**16
"""Rows that a filter skips at once: rows are sorted, so one cell or layer touches few groups."""

_LARGEST_GROUP = 2**20  # rows: no file of gradsim has more, and one that does may not fit in memory
_VERSION_KEY = b"schema_version"


def _field(name: str, kind: pa.DataType, unit: str, description: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable, {"unit": unit, "description": description})


def _schema(*fields: pa.Field) -> pa.Schema:
    return pa.schema(fields, {_VERSION_KEY: str(SCHEMA_VERSION).encode()})


_CELL = _field("cell_id", pa.int32(), "1", "row of cells.parquet")
_LAYER = _field("layer", pa.int32(), "1", "layer, from 1 to depth")
_QUANTITY = _field("quantity", pa.string(), "-", f"one of {', '.join(QUANTITIES)}, or one that the sweep names")
_RELATIVE = ", ".join(row.name for row in QUANTITIES.values() if row.relative)

_NETWORK_AXES = {
    "architecture": (pa.string(), "-", "kind of network"),
    "inputs": (pa.int32(), "1", "inputs, or tokens, that run through a network at a time"),
    "input_correlation": (pa.float64(), "1", "correlation of any two inputs"),
    "normalisation": (pa.string(), "-", "norm"),
    "placement": (pa.string(), "-", "where the norms are"),
    "branch_scale": (pa.string(), "-", "factor of every branch: a number, or a function of the depth L"),
    "heads": (pa.int32(), "1", "heads of every attention"),
    "causal": (pa.bool_(), "-", "whether tokens see no later ones"),
    "scores": (pa.string(), "-", "factor of the scores of an attention, where d is the numbers of a head"),
    "gated": (pa.bool_(), "-", "whether the branch of two matrices is gated"),
    "expansion": (pa.float64(), "widths", "neurons between the two matrices of a branch; 0: what is usual"),
    "cost": (pa.string(), "-", "what the network is differentiated from"),
    "outputs": (pa.int32(), "1", "outputs of the last matrix"),
    "taps": (pa.int32(), "1", "neighbouring positions that a convolution sees"),
    "differences": (pa.bool_(), "-", "whether inputs are carried as differences from the first"),
    "layers": (pa.string(), "-", "inputs and neurons of each layer; width is that of the widest"),
    "input_length": (pa.string(), "-", "root mean square of the elements of every input, or its name"),
    "input_file": (pa.string(), "-", "of inputs from a file, the first digits of the SHA-256 of its numbers"),
    "embedding": (pa.string(), "-", "whether inputs are rows of an embedding, which may be tied to the logits"),
    "vocabulary": (pa.int32(), "1", "tokens of the embedding"),
    "sigma_embedding": (pa.float64(), "1", "standard deviation of an entry of the embedding"),
    "sigma_u": (pa.float64(), "1", "standard deviation of input weights, times sqrt(width)"),
    "preset": (pa.string(), "-", "initialisation; sigma_w is that of the first matrix of a block"),
}


def cells_schema(network_axes: Iterable[str]) -> pa.Schema:
    """Return the columns of ``cells.parquet``: network axes only where a sweep has set them."""
    added = [_field(axis, *_NETWORK_AXES[axis]) for axis in network_axes]
    return pa.schema([*CELLS, *added], CELLS.metadata)


CELLS = _schema(
    _CELL,
    _field("activation", pa.string(), "-", "activation of every layer"),
    _field("law", pa.string(), "-", "law of the weights"),
    _field("sigma_w", pa.float64(), "1", "standard deviation of the weights times sqrt(fan_in)"),
    _field("sigma_b", pa.float64(), "1", "standard deviation of the biases"),
    _field("depth", pa.int32(), "1", "number of weight matrices"),
    _field("width", pa.int32(), "1", "neurons in each layer"),
    _field("networks", pa.int64(), "1", "networks of the cell"),
    _field("seed", pa.int64(), "-", "root of all random numbers"),
    _field("method", pa.string(), "-", "how networks are simulated"),
    _field("dtype", pa.string(), "-", "precision of the simulation"),
)

LAYERS = _schema(
    _CELL,
    _LAYER,
    _QUANTITY,
    _field("networks", pa.int64(), "networks", f"all networks ({_RELATIVE}: those whose last delta is not zero)"),
    _field("dead", pa.int64(), "networks", "exactly zero in exact arithmetic: value -inf"),
    _field("nonfinite", pa.int64(), "networks", "value NaN"),
    _field("total", pa.int64(), f"{LN} * 2^20", "sum over live finite networks of k = round(value * 2^20)"),
    _field("square_high", pa.int64(), f"({LN} * 2^20)^2 * 2^50", "sum of k^2, divided by 2^50, rounded down"),
    _field("square_low", pa.int64(), f"({LN} * 2^20)^2", "sum of k^2, the rest: from 0 to 2^50 - 1"),
    _field("min", pa.float64(), LN, "least live finite value; null if there is none", nullable=True),
    _field("max", pa.float64(), LN, "greatest live finite value; null if there is none", nullable=True),
)

HISTOGRAMS = _schema(
    _CELL,
    _LAYER,
    _QUANTITY,
    _field("bin", pa.int32(), "ln(2)/16", "floor(value * 16 / ln 2): 1/16 octave of the plain value"),
    _field("networks", pa.int64(), "networks", "live finite networks in the bin"),
)


def _value(row: Quantity | OfInputs) -> pa.Field:
    description = f"{row.description}; -inf if dead, null if not finite"
    return _field(row.name, pa.float64(), row.unit, description, nullable=True)


NETWORKS = _schema(
    _CELL,
    _field("network", pa.int64(), "1", "network of the cell, from 0"),
    _LAYER,
    *map(_value, QUANTITIES.values()),
)


def networks_schema(names: Iterable[str]) -> pa.Schema:
    """Return the columns of single networks, with those of several inputs that are among some names."""
    added = [_value(row) for row in OF_INPUTS.values() if row.name in set(names)]
    return pa.schema([*NETWORKS, *added], NETWORKS.metadata)


def encode(tables: Iterable[pa.Table], row_group: int = ROW_GROUP) -> memoryview:
    """Return tables of one of the schemas above, one after the other, as a Parquet file.

    Equal tables give equal bytes with the same PyArrow.
    """
    source = iter(tables)
    first = next(source)
    strings = [field.name for field in first.schema if pa.types.is_string(field.type)]
    encodings = {field.name: "BYTE_STREAM_SPLIT" for field in first.schema if pa.types.is_floating(field.type)}
    encodings |= {field.name: "DELTA_BINARY_PACKED" for field in first.schema if pa.types.is_integer(field.type)}
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        first.schema,
        compression="zstd",
        use_dictionary=strings,
        column_encoding=encodings,
        write_page_checksum=True,
    ) as writer:
        for table in chain([first], source):
            writer.write_table(table, row_group)
    return memoryview(sink.getvalue())  # no copy: a compacted file has some hundred megabytes


class Keep(NamedTuple):
    """Which rows to read: those of which an expression is true.

    Each has, in the columns of at least one of `anyhow`, one of the values that stand there.
    """

    rows: pc.Expression
    anyhow: tuple[dict[str, Sequence[Any]], ...]


def decode(source: Any, name: str, expected: pa.Schema, rows: int | None = None, keep: Keep | None = None) -> pa.Table:
    """Return the table in a Parquet file; the checksum of every page that is read is checked.

    Parameters
    ----------
    source
        Bytes or an open file.
    name
        Path for messages.
    expected
        The columns and types that it must have; another file is refused before any of its pages is read.
    rows
        How many it must have, where that is known.
    keep
        Which rows are wanted: row groups without any are skipped.

    Raises
    ------
    SchemaVersionError
        If a newer gradsim wrote it.
    CorruptDataError
        If it is damaged.
    """
    with _decoding(name):
        reader = pa.BufferReader(source) if isinstance(source, bytes | memoryview) else source
        file = _open(reader, name, expected, rows)
        if keep is not None and file.num_row_groups > 1:
            groups = (group for group in range(file.num_row_groups) if _may_hold(file, group, keep))
            tables = (file.read_row_group(group, use_threads=False).filter(keep.rows) for group in groups)
            return pa.concat_tables([expected.empty_table(), *tables])
        return file.read(use_threads=False)


def row_groups(source: Any, name: str, expected: pa.Schema, rows: int | None = None) -> Iterator[pa.Table]:
    """Iterate over the row groups of a Parquet file, as tables; else as `decode`."""
    with _decoding(name):
        reader = pa.BufferReader(source) if isinstance(source, bytes | memoryview) else source
        file = _open(reader, name, expected, rows)
        for group in range(file.num_row_groups):
            yield file.read_row_group(group, use_threads=False)


def _may_hold(file: pq.ParquetFile, group: int, keep: Keep) -> bool:
    """Whether a row group may have rows that are asked for, by the least and greatest value of each column."""
    metadata = file.metadata.row_group(group)
    columns = (metadata.column(place) for place in range(metadata.num_columns))
    found = {column.path_in_schema: column.statistics for column in columns}

    def spans(column: str, values: Sequence[Any]) -> bool:
        limits = found[column]
        return limits is None or not limits.has_min_max or any(limits.min <= value <= limits.max for value in values)

    return any(all(spans(*item) for item in chosen.items()) for chosen in keep.anyhow)


def _open(reader: Any, name: str, expected: pa.Schema, rows: int | None) -> pq.ParquetFile:
    # PyArrow's own threads read no Python file: one that still waits for Python when a program ends would abort it.
    file = pq.ParquetFile(reader, page_checksum_verification=True, pre_buffer=False)
    found = file.schema_arrow
    check_version(int((found.metadata or {})[_VERSION_KEY]), name)
    # An unregistered extension type is read as its storage type; only the metadata of the field tells.
    extended = any(b"ARROW:extension:name" in (field.metadata or {}) for field in found)
    further = [name for name in found.names if name in OF_INPUTS] if expected is NETWORKS else []
    if extended or not found.equals(networks_schema(further) if further else expected):
        raise ValueError("it has columns that differ from the schema")
    groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    if sum(groups) != (file.metadata.num_rows if rows is None else rows) or max(groups, default=0) > _LARGEST_GROUP:
        raise ValueError("its number of rows differs from what is expected")
    return file


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # the disk; PyArrow's own OSError has no number
            raise
        raise _damaged(name, error) from error
    except (pa.ArrowException, KeyError, ValueError, MemoryError) as error:
        raise _damaged(name, error) from error


def check_version(version: int, name: str) -> None:
    """Refuse a newer layout with :class:`SchemaVersionError`."""
    if version > EXTENDED_VERSION:
        raise SchemaVersionError(
            f"{name}: schema version {version} was written by a newer gradsim; this one reads up to "
            f"{EXTENDED_VERSION}. Update it: pip install --upgrade gradsim."
        )


def _damaged(name: str, error: Exception) -> CorruptDataError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return CorruptDataError(
        f"{name}: the file is damaged: {reason}. Restore it from a copy, or run the sweep again elsewhere."
    )
