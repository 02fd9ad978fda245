"""Reading the Parquet files that manifests name: only the files and row groups that are asked for."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gradsim import fs, schema
from gradsim.errors import CorruptDataError, SweepError, suggestion
from gradsim.manifest import REMEDY, Kind, Manifest
from gradsim_core.quantities import QUANTITIES

SCHEMAS: dict[Kind, pa.Schema] = {
    "layers": schema.LAYERS, "histograms": schema.HISTOGRAMS, "networks": schema.NETWORKS
}  # fmt: skip

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
            yield _table(root, manifest, kind, keep)


def _table(root: Path, manifest: Manifest, kind: Kind, keep: pc.Expression | None) -> pa.Table:
    part = manifest.parts.get(kind)
    if part is None:
        raise CorruptDataError(f"{root}: the manifest of shard {manifest.shard} names no {kind}. {REMEDY}.")
    path = root / part.path
    try:
        with fs.reading(path) as file:
            size = file.seek(0, os.SEEK_END)
            if size != part.bytes:
                raise CorruptDataError(
                    f"{path}: {size} bytes where the manifest says {part.bytes}. {_remedy(manifest)}"
                )
            file.seek(0)
            table = schema.decode(file, str(path), keep)
    except FileNotFoundError:
        raise CorruptDataError(f"{path}: the file is missing. {_remedy(manifest)}") from None
    try:
        return table.select(SCHEMAS[kind].names).cast(SCHEMAS[kind])
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise CorruptDataError(f"{path}: the columns are not those of {kind}: {error}. {_remedy(manifest)}") from error


def _remedy(manifest: Manifest) -> str:
    return f"Remove manifests/{manifest.shard:06d}.json and run the sweep again: the shard is computed anew."


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
