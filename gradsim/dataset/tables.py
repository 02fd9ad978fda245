"""Sums of a shard as Arrow tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gradsim.dataset import schema
from gradsim.simulation.plan import Shard
from gradsim.sweep import Sweep
from gradsim.sweep.cells import Cell
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.statistics import Sums

_NAMES = pa.array(list(QUANTITIES))


def cells_table(sweep: Sweep, cells: list[Cell]) -> pa.Table:
    """Return a row per cell with every parameter (`schema.CELLS`)."""
    columns: dict[str, Any] = dict(zip(Cell._fields, map(list, zip(*cells, strict=True)), strict=True))
    for name in ("networks", "seed", "method", "dtype"):
        columns[name] = [getattr(sweep, name)] * len(cells)
    return pa.table(columns, schema.CELLS)


def layers_table(sums: Mapping[int, Sums]) -> pa.Table:
    """Return the sums of each cell_id as rows sorted by quantity, layer, cell_id (`schema.LAYERS`)."""
    quantity, layer, cell_id = (np.concatenate(k) for k in zip(*map(_keys, sums, sums.values()), strict=True))
    order = np.lexsort((cell_id, layer, quantity))
    values = {name: _flat(sums, name)[order] for name in Sums._fields[:8]}
    live = values["networks"] - values["dead"] - values["nonfinite"] > 0
    columns = [
        cell_id[order], layer[order], _NAMES.take(quantity[order]),
        *(values[name] for name in Sums._fields[:6]),
        pa.array(values["minimum"], mask=~live), pa.array(values["maximum"], mask=~live),
    ]  # fmt: skip
    return pa.table(columns, schema=schema.LAYERS)


def histograms_table(sums: Mapping[int, Sums]) -> pa.Table:
    """Return the bins of each cell_id, sorted by quantity, layer, cell_id, bin (`schema.HISTOGRAMS`)."""
    depths = {cell: one.networks.shape[1] for cell, one in sums.items()}
    cell_id = np.concatenate([np.full(len(one.hist_bin), cell, np.int32) for cell, one in sums.items()])
    quantity = np.concatenate([one.hist_column // depths[cell] for cell, one in sums.items()])
    layer = np.concatenate([one.hist_column % depths[cell] + 1 for cell, one in sums.items()])
    bins, counts = (
        np.concatenate([getattr(one, name) for one in sums.values()]) for name in ("hist_bin", "hist_count")
    )
    order = np.lexsort((bins, cell_id, layer, quantity))
    names = _NAMES.take(quantity[order])
    columns = [cell_id[order], layer[order].astype(np.int32), names, bins[order], counts[order]]
    return pa.table(columns, schema=schema.HISTOGRAMS)


def networks_table(shard: Shard, values: Mapping[int, np.ndarray]) -> pa.Table:
    """Return the single networks of a shard as rows sorted by cell_id, network, layer (`schema.NETWORKS`).

    Parameters
    ----------
    shard
        The shard.
    values
        For each cell_id the array (quantities, networks, depth) of the quantities; -inf is dead, NaN not finite.
    """
    made = []
    for part in shard.slices:
        depth = values[part.cell_id].shape[2]
        columns = [
            np.full(part.count * depth, part.cell_id, np.int32),
            np.repeat(np.arange(part.first, part.first + part.count), depth),
            np.tile(np.arange(1, depth + 1, dtype=np.int32), part.count),
            *(pa.array(quantity.ravel(), from_pandas=True) for quantity in values[part.cell_id]),  # NaN to null
        ]
        made.append(pa.table(columns, schema=schema.NETWORKS))
    return pa.concat_tables(made)


def frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a pandas frame."""
    return pd.DataFrame(table.to_pandas())


def _keys(cell_id: int, sums: Sums) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    quantities, depth = sums.networks.shape
    return (
        np.repeat(np.arange(quantities), depth),
        np.tile(np.arange(1, depth + 1, dtype=np.int32), quantities),
        np.full(quantities * depth, cell_id, np.int32),
    )


def _flat(sums: Mapping[int, Sums], name: str) -> np.ndarray:
    return np.concatenate([getattr(one, name).ravel() for one in sums.values()])
