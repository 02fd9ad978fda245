"""Reading the Parquet files that manifests name: only the files and row groups that are asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from io import BufferedReader
from operator import and_, or_
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gradsim.dataset import schema
from gradsim.dataset.codec import SCHEMAS
from gradsim.dataset.manifest import Kind, Manifest, Part
from gradsim.errors import CorruptDataError, SweepError, suggestion
from gradsim.simulation.plan import Plan
from gradsim.system import filesystem
from gradsim_core.results.of_inputs import OF_INPUTS

Ids = int | Iterable[int] | None
Names = str | Iterable[str] | None


_SMALL = 2**20  # bytes of a file that is read at once: PyArrow is several times slower on a Python file
_BATCH_ROWS = 2**16  # rows filtered at once: filtering the table of a small shard takes as long as decoding it
_LEAST_ROWS = 2**6  # of memory that a table without rows takes


class Rows(NamedTuple):
    """Rows of a table that are asked for, by the values of each column; None for all."""

    cells: Sequence[int] | None = None
    layer: Sequence[int] | None = None
    quantity: Sequence[str] | None = None

    @classmethod
    def of(cls, plan: Plan, cells: Ids = None, layer: Ids = None, quantity: Names = None) -> Self:
        """Return the rows that a user asks for, of one value or several.

        Raises
        ------
        SweepError
            If a quantity is unknown, or a cell or layer is not one of the sweep's.
        """
        last, depth = len(plan.cells) - 1, max(plan.sweep.depth)
        return cls(
            _ids("cells", cells, 0, last), _ids("layer", layer, 1, depth), _quantities(quantity, plan.sweep.recorded)
        )

    def chosen(self) -> dict[str, Sequence[Any]]:
        """Return the values that are asked for, by the name of their column; without columns of which all are."""
        columns = zip(("cell_id", "layer", "quantity"), self, strict=True)
        return {name: values for name, values in columns if values is not None}


def read(root: Path, manifests: list[Manifest], kind: Kind, *wanted: Rows) -> Iterator[pa.Table]:
    """Iterate over the tables of one kind, each file read once, holding only the rows that are asked for.

    Parameters
    ----------
    root
        The dataset's directory.
    manifests
        Of the committed shards.
    kind
        Which table.
    wanted
        Which rows; those of several are united.

    Raises
    ------
    CorruptDataError
        If a file is missing or damaged, or not of the size that its manifest says.
    """
    cells = [rows.cells for rows in wanted]
    ids = None if None in cells else {cell for some in cells for cell in some or ()}
    chosen = tuple(rows.chosen() for rows in wanted)
    keep = schema.Keep(reduce(or_, (_expression(kind, values) for values in chosen)), chosen) if all(chosen) else None
    held, rows = [SCHEMAS[kind].empty_table()], 0  # so that there are columns where there is no row
    for manifest in manifests:
        if ids is None or not ids.isdisjoint(part[0] for part in manifest.slices):
            held.append(table(root, manifest, kind, keep))
            rows += max(len(held[-1]), _LEAST_ROWS)
        if rows >= _BATCH_ROWS:
            yield _kept(held, keep)
            held, rows = [], 0
    if held:
        yield _kept(held, keep)


def _expression(kind: Kind, chosen: dict[str, Sequence[Any]]) -> pc.Expression:
    fields = SCHEMAS[kind]
    parts = (pc.field(name).isin(pa.array(values, fields.field(name).type)) for name, values in chosen.items())
    return reduce(and_, parts)


def _kept(tables: list[pa.Table], keep: schema.Keep | None) -> pa.Table:
    joined = pa.concat_tables(tables, promote_options="default")
    whole = joined.combine_chunks()  # filtered five times as fast as many chunks
    return whole if keep is None else whole.filter(keep.rows)


def table(root: Path, manifest: Manifest, kind: Kind, keep: schema.Keep | None = None) -> pa.Table:
    """Return one table of a commit, whose file is first compared with the manifest, every byte of it.

    With ``keep`` row groups without such rows are left out.

    Raises
    ------
    CorruptDataError
        If it differs.
    """
    with _checked(root, manifest, kind) as (source, name):
        return schema.decode(source, name, SCHEMAS[kind], manifest.parts[kind].rows, keep)


def row_groups(root: Path, manifest: Manifest, kind: Kind) -> Iterator[pa.Table]:
    """Iterate over one table of a commit, a row group at a time; else as `table`."""
    with _checked(root, manifest, kind) as (source, name):
        yield from schema.row_groups(source, name, SCHEMAS[kind], manifest.parts[kind].rows)


@contextmanager
def _checked(root: Path, manifest: Manifest, kind: Kind) -> Iterator[tuple[BufferedReader | bytes, str]]:
    part = manifest.parts[kind]
    path = root / part.path
    try:
        with filesystem.reading(path) as file:
            _check_size(path, manifest, part, os.fstat(file.fileno()).st_size)
            source = file.read() if part.bytes <= _SMALL else file
            found = hashlib.sha256(source) if isinstance(source, bytes) else hashlib.file_digest(source, "sha256")
            if found.hexdigest() != part.sha256:
                raise CorruptDataError(f"{path}: the file is damaged: its checksum differs. {_remedy(manifest)}.")
            file.seek(0)
            yield source, str(path)
    except FileNotFoundError:
        _check_size(path, manifest, part, None)
        raise


def check_size(root: Path, manifest: Manifest, kind: Kind) -> None:
    """Raise :class:`CorruptDataError` if a table of a commit is missing or not of the size that the manifest says."""
    part = manifest.parts[kind]
    _check_size(root / part.path, manifest, part, filesystem.size(root / part.path))


def _check_size(path: Path, manifest: Manifest, part: Part, size: int | None) -> None:
    if size != part.bytes:
        found = "the file is missing" if size is None else f"{size} bytes where the manifest says {part.bytes}"
        raise CorruptDataError(f"{path}: {found}. {_remedy(manifest)}.")


def _remedy(manifest: Manifest) -> str:
    remove = f"Remove {manifest.span.manifest}, as gradsim verify --repair does"
    return f"{remove}, and run the sweep again: it is computed anew"


def _ids(field: str, values: Ids, first: int, last: int) -> list[int] | None:
    if values is None:
        return None
    found: list[Any] = list(values) if isinstance(values, Iterable) else [values]
    for value in found:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not first <= value <= last:
            remedy = f"Take it from run.cells(), or leave {field} out for all"
            raise SweepError(field, value, f"one or several whole numbers from {first} to {last}", remedy)
    return [int(value) for value in found]


def _quantities(names: Names, recorded: Sequence[str]) -> list[str] | None:
    if names is None:
        return None
    found = [names] if isinstance(names, str) else list(names)
    for name in found:
        if name not in recorded:
            remedy = f'Run a sweep with quantities = ["{name}"]' if name in OF_INPUTS else suggestion(name, recorded)
            raise SweepError("quantity", name, f"one of {', '.join(recorded)}", remedy)
    return found
