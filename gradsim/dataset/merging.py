"""Rows of stored tables merged exactly: sums of a cell that several shards hold become one row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import pyarrow as pa

from gradsim.dataset.codec import Columns, from_table
from gradsim.dataset.manifest import Kind
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.statistics import FIXED_POINT

KEYS: dict[Kind, tuple[str, ...]] = {
    "layers": ("cell_id", "layer", "quantity"),
    "histograms": ("cell_id", "layer", "quantity", "bin"),
}
"""What rows are merged by."""

_EXTREMES = {"minimum": np.minimum, "maximum": np.maximum}
_BATCH_ROWS = 2**21  # stored rows held at once before they are merged


def merge_layers(tables: Iterable[pa.Table]) -> pd.DataFrame:
    """Merge tables of `schema.LAYERS`: a row per (cell, layer, quantity), with mean, std and se.

    Sums are added and moments taken in Python's whole numbers: no overflow, no cancellation.
    """
    merged = Merging("layers", _decoded("layers", tables)).whole()
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
    merged = Merging("histograms", _decoded("histograms", tables)).whole()
    return _frame(merged, ("bin", "networks"))


def _decoded(kind: Kind, tables: Iterable[pa.Table]) -> Iterator[Columns]:
    return (from_table(kind, table) for table in tables)


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
