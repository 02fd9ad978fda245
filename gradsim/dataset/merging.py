"""Rows of stored tables merged exactly: sums of a cell that several shards hold become one row."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gradsim.dataset.manifest import Kind
from gradsim.errors import CorruptDataError
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.statistics import FIXED_POINT

Columns = dict[str, np.ndarray]
"""Columns of equal length by name; ``quantity`` as codes, sums that may pass 2^63 as Python's whole numbers."""

LOW_BITS = 50
"""A sum of squares is stored as square_high * 2^50 + square_low."""

KEYS: dict[Kind, tuple[str, ...]] = {
    "layers": ("cell_id", "layer", "quantity"),
    "histograms": ("cell_id", "layer", "quantity", "bin"),
}
"""What rows are merged by."""

_EXTREMES = {"minimum": np.minimum, "maximum": np.maximum}
_BATCH_ROWS = 2**21  # stored rows held at once before they are merged
_NAMES = pa.array(list(QUANTITIES))


def merge_layers(tables: Iterable[pa.Table]) -> pd.DataFrame:
    """Merge tables of `schema.LAYERS`: a row per (cell, layer, quantity), with mean, std and se.

    Sums are added and moments taken in Python's whole numbers: no overflow, no cancellation.
    """
    merged = Merging("layers", map(columns("layers"), tables)).whole()
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
    merged = Merging("histograms", map(columns("histograms"), tables)).whole()
    return _frame(merged, ("bin", "networks"))


def _key_columns(table: pa.Table) -> Columns:
    codes = pc.index_in(table["quantity"], value_set=_NAMES)
    if codes.null_count:
        raise CorruptDataError("A table of the dataset has a quantity that gradsim does not know: it is damaged.")
    return {
        "cell_id": table["cell_id"].to_numpy(),
        "layer": table["layer"].to_numpy(),
        "quantity": codes.to_numpy().astype(np.int8),
    }


def _layer_columns(table: pa.Table) -> Columns:
    high, low = (table[name].to_numpy().astype(object) for name in ("square_high", "square_low"))
    return _key_columns(table) | {
        "networks": table["networks"].to_numpy(),
        "dead": table["dead"].to_numpy(),
        "nonfinite": table["nonfinite"].to_numpy(),
        "total": table["total"].to_numpy().astype(object),
        "square": high * 2**LOW_BITS + low,
        "minimum": pc.fill_null(table["min"], np.inf).to_numpy(),
        "maximum": pc.fill_null(table["max"], -np.inf).to_numpy(),
    }


def _histogram_columns(table: pa.Table) -> Columns:
    return _key_columns(table) | {"bin": table["bin"].to_numpy(), "networks": table["networks"].to_numpy()}


def _network_columns(table: pa.Table) -> Columns:
    found = {name: table[name].to_numpy() for name in ("cell_id", "network", "layer")}
    return found | {name: pc.fill_null(table[name], np.nan).to_numpy() for name in QUANTITIES}


def columns(kind: Kind) -> Callable[[pa.Table], Columns]:
    """Return the function from a stored table of one kind to columns, which can be merged if it is of `KEYS`."""
    return {"layers": _layer_columns, "histograms": _histogram_columns, "networks": _network_columns}[kind]


def table(kind: Kind, rows: Columns, schema: pa.Schema) -> pa.Table:
    """Return merged columns as a stored table: what `columns` undoes.

    Raises
    ------
    OverflowError
        If a sum does not fit in 64 bits.
    """
    names = _NAMES.take(rows["quantity"])
    if kind == "histograms":
        return pa.table([rows["cell_id"], rows["layer"], names, rows["bin"], rows["networks"]], schema=schema)
    live = rows["networks"] - rows["dead"] - rows["nonfinite"] > 0
    square = rows["square"]
    sums = [rows["networks"], rows["dead"], rows["nonfinite"], rows["total"], square >> LOW_BITS, square % 2**LOW_BITS]
    extremes = (pa.array(rows[name], mask=~live) for name in ("minimum", "maximum"))
    columns = [rows["cell_id"], rows["layer"], names, *(column.astype(np.int64) for column in sums), *extremes]
    return pa.table(columns, schema=schema)


def merge(parts: list[Columns], keys: tuple[str, ...]) -> Columns:
    """Sort rows by the keys and add up those of equal keys; of ``minimum`` and ``maximum`` take the extreme."""
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort([whole[key] for key in reversed(keys)])
    whole = {name: column[order] for name, column in whole.items()}
    starts = first_rows(whole, keys)
    if len(starts) == len(order):
        return whole
    return {
        name: column[starts] if name in keys else _EXTREMES.get(name, np.add).reduceat(column, starts)
        for name, column in whole.items()
    }


class Merging:
    """Columns of one kind merged as they come, a batch at a time, so that memory stays modest."""

    def __init__(self, kind: Kind, parts: Iterable[Columns] = ()) -> None:
        self._keys, self._held = KEYS[kind], list[Columns]()
        for part in parts:
            self.add(part)

    def add(self, part: Columns) -> None:
        """Add some rows."""
        self._held.append(part)
        first, *rest = (len(one["cell_id"]) for one in self._held)
        if sum(rest) > max(_BATCH_ROWS, first):  # never few rows into many: that would sort the many each time
            self._held = [self.whole()]

    def whole(self) -> Columns:
        """Return all rows so far, merged."""
        return merge(self._held, self._keys)


def first_rows(whole: Columns, keys: tuple[str, ...]) -> np.ndarray:
    """Return where in sorted rows each new key begins."""
    new = np.zeros(len(whole[keys[0]]), bool)
    new[:1] = True
    for key in keys:
        new[1:] |= whole[key][1:] != whole[key][:-1]
    return np.flatnonzero(new)


def _frame(merged: Columns, names: tuple[str, ...]) -> pd.DataFrame:
    quantity = pd.Categorical.from_codes(merged["quantity"].astype(np.int8), pd.Index(list(QUANTITIES)))
    keys = {"cell_id": merged["cell_id"], "layer": merged["layer"], "quantity": quantity}
    return pd.DataFrame(keys | {name: merged[name] for name in names})
