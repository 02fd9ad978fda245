"""Sums of a shard as Arrow tables, and stored tables merged exactly into pandas frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gradsim import schema
from gradsim.cells import Cell
from gradsim.errors import CorruptDataError
from gradsim.plan import Shard
from gradsim.sweep import Sweep
from gradsim_core.quantities import QUANTITIES
from gradsim_core.statistics import FIXED_POINT, Sums

_LOW_BITS = 50  # a sum of squares is square_high * 2^50 + square_low
_BATCH_ROWS = 2**21  # stored rows held at once before they are merged
_NAMES = pa.array(QUANTITIES)
_KEYS = ("cell_id", "layer", "quantity")


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
        For each cell_id the array (4, networks, depth) of the quantities; -inf is dead, NaN not finite.
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


def merge_layers(tables: Iterable[pa.Table]) -> pd.DataFrame:
    """Merge tables of `schema.LAYERS`: a row per (cell, layer, quantity), with mean, std and se.

    Sums are added and moments taken in Python's whole numbers: no overflow, no cancellation.
    """
    merged = _merged(map(_layer_columns, tables), _KEYS, {"minimum": np.minimum, "maximum": np.maximum})
    live = merged["networks"] - merged["dead"] - merged["nonfinite"]
    total, square, count = merged["total"], merged["square"], live.astype(object)
    mean, variance = np.full(len(live), np.nan), np.full(len(live), np.nan)
    some, several = live > 0, live > 1
    mean[some] = total[some] / (count[some] * int(FIXED_POINT))
    spread = count[several] * square[several] - total[several] ** 2
    variance[several] = spread / (count[several] * (count[several] - 1))
    std = np.sqrt(variance) / FIXED_POINT
    return _frame(merged, ("networks", "dead", "nonfinite")).assign(
        mean=mean, std=std, se=std / np.sqrt(np.maximum(live, 1)),
        min=np.where(some, merged["minimum"], np.nan), max=np.where(some, merged["maximum"], np.nan),
    )  # fmt: skip


def merge_histograms(tables: Iterable[pa.Table]) -> pd.DataFrame:
    """Merge tables of `schema.HISTOGRAMS`: a row per (cell, layer, quantity, bin) with its networks."""
    merged = _merged(map(_histogram_columns, tables), (*_KEYS, "bin"), {})
    return _frame(merged, ("bin", "networks"))


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


def _key_columns(table: pa.Table) -> dict[str, np.ndarray]:
    codes = pc.index_in(table["quantity"], value_set=_NAMES)
    if codes.null_count:
        raise CorruptDataError("A table of the dataset has a quantity that gradsim does not know: it is damaged.")
    return {
        "cell_id": table["cell_id"].to_numpy(),
        "layer": table["layer"].to_numpy(),
        "quantity": codes.to_numpy().astype(np.int8),
    }


def _layer_columns(table: pa.Table) -> dict[str, np.ndarray]:
    high, low = (table[name].to_numpy().astype(object) for name in ("square_high", "square_low"))
    return _key_columns(table) | {
        "networks": table["networks"].to_numpy(),
        "dead": table["dead"].to_numpy(),
        "nonfinite": table["nonfinite"].to_numpy(),
        "total": table["total"].to_numpy().astype(object),
        "square": high * 2**_LOW_BITS + low,
        "minimum": pc.fill_null(table["min"], np.inf).to_numpy(),
        "maximum": pc.fill_null(table["max"], -np.inf).to_numpy(),
    }


def _histogram_columns(table: pa.Table) -> dict[str, np.ndarray]:
    return _key_columns(table) | {"bin": table["bin"].to_numpy(), "networks": table["networks"].to_numpy()}


def _merged(
    parts: Iterator[dict[str, np.ndarray]], keys: tuple[str, ...], how: Mapping[str, np.ufunc]
) -> dict[str, np.ndarray]:
    """Add up rows of equal keys (or take `how` of them), a batch at a time so that memory stays modest."""
    held: list[dict[str, np.ndarray]] = []
    for part in parts:
        held.append(part)
        if sum(len(one["cell_id"]) for one in held) > _BATCH_ROWS:
            held = [_reduce(held, keys, how)]
    return _reduce(held, keys, how)


def _reduce(
    parts: list[dict[str, np.ndarray]], keys: tuple[str, ...], how: Mapping[str, np.ufunc]
) -> dict[str, np.ndarray]:
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort([whole[key] for key in reversed(keys)])
    whole = {name: column[order] for name, column in whole.items()}
    new = np.zeros(len(order), bool)
    new[:1] = True
    for key in keys:
        new[1:] |= whole[key][1:] != whole[key][:-1]
    starts = np.flatnonzero(new)
    if len(starts) == len(order):
        return whole
    return {
        name: column[starts] if name in keys else how.get(name, np.add).reduceat(column, starts)
        for name, column in whole.items()
    }


def _frame(merged: dict[str, np.ndarray], names: tuple[str, ...]) -> pd.DataFrame:
    quantity = pd.Categorical.from_codes(merged["quantity"].astype(np.int8), pd.Index(QUANTITIES))
    keys = {"cell_id": merged["cell_id"], "layer": merged["layer"], "quantity": quantity}
    return pd.DataFrame(keys | {name: merged[name] for name in names})
