"""Reading the Parquet files that manifests name: only the files and row groups that are asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gradsim.dataset import schema
from gradsim.dataset.codec import SCHEMAS
from gradsim.dataset.manifest import Kind, Manifest
from gradsim.errors import CorruptDataError, SweepError, suggestion
from gradsim.system import filesystem
from gradsim_core.results.quantities import QUANTITIES

Ids = int | Iterable[int] | None
Names = str | Iterable[str] | None


def read(
    root: Path, manifests: list[Manifest], kind: Kind, cells: Ids, layer: Ids, quantity: Names
) -> Iterator[pa.Table]:
    """Iterate over the tables of one kind, one a shard, holding only the rows that are asked for.

    Parameters
    ----------
    root
        The dataset's directory.
    manifests
        Of the committed shards.
    kind
        Which table.
    cells, layer, quantity
        Which rows: one value or several; None for all.

    Raises
    ------
    SweepError
        If a quantity is unknown, or a cell or layer is not a whole number.
    CorruptDataError
        If a file is missing or damaged, or not of the size that its manifest says.
    """
    wanted = {
        "cell_id": _ids("cells", cells),
        "layer": _ids("layer", layer),
        "quantity": _quantities(quantity),
    }
    keep = None
    for column, values in wanted.items():
        if values is not None:
            chosen = pc.field(column).isin(pa.array(values, SCHEMAS[kind].field(column).type))
            keep = chosen if keep is None else keep & chosen
    yield SCHEMAS[kind].empty_table()  # so that there are columns where there is no row
    ids = wanted["cell_id"]
    for manifest in manifests:
        if ids is None or not {part[0] for part in manifest.slices}.isdisjoint(ids):
            yield table(root, manifest, kind, keep)


def table(root: Path, manifest: Manifest, kind: Kind, keep: pc.Expression | None = None) -> pa.Table:
    """Return one table of a commit, whose file is first compared with the manifest, every byte of it.

    Raises
    ------
    CorruptDataError
        If it differs.
    """
    with _checked(root, manifest, kind) as file:
        part = manifest.parts[kind]
        return schema.decode(file, str(root / part.path), SCHEMAS[kind], part.rows, keep)


def row_groups(root: Path, manifest: Manifest, kind: Kind) -> Iterator[pa.Table]:
    """Iterate over one table of a commit, a row group at a time; else as `table`."""
    with _checked(root, manifest, kind) as file:
        part = manifest.parts[kind]
        yield from schema.row_groups(file, str(root / part.path), SCHEMAS[kind], part.rows)


@contextmanager
def _checked(root: Path, manifest: Manifest, kind: Kind) -> Iterator[BufferedReader]:
    part = manifest.parts[kind]
    path, remedy = root / part.path, f"Remove {manifest.span.manifest} and run the sweep again: it is computed anew"
    try:
        with filesystem.reading(path) as file:
            size = file.seek(0, os.SEEK_END)
            if size != part.bytes:
                raise CorruptDataError(f"{path}: {size} bytes where the manifest says {part.bytes}. {remedy}.")
            file.seek(0)
            if hashlib.file_digest(file, "sha256").hexdigest() != part.sha256:
                raise CorruptDataError(f"{path}: the file is damaged: its checksum differs. {remedy}.")
            file.seek(0)
            yield file
    except FileNotFoundError:
        raise CorruptDataError(f"{path}: the file is missing. {remedy}.") from None


def _ids(field: str, values: Ids) -> list[int] | None:
    if values is None:
        return None
    found: list[Any] = list(values) if isinstance(values, Iterable) else [values]
    for value in found:
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or not 0 <= value < 2**31:
            remedy = f"Take it from run.cells(), or leave {field} out for all"
            raise SweepError(field, value, "one or several whole numbers from 0 to 2^31 - 1", remedy)
    return [int(value) for value in found]


def _quantities(names: Names) -> list[str] | None:
    if names is None:
        return None
    found = [names] if isinstance(names, str) else list(names)
    for name in found:
        if name not in QUANTITIES:
            raise SweepError("quantity", name, f"one of {', '.join(QUANTITIES)}", suggestion(name, QUANTITIES))
    return found
