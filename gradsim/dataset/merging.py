"""Rows of stored tables merged exactly: sums of a cell that several shards hold become one row."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import pyarrow as pa

from gradsim.dataset import wide
from gradsim.dataset.codec import NAMES, Columns, from_table
from gradsim.dataset.manifest import Kind
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.tally import FIXED_POINT

KEYS: dict[Kind, tuple[str, ...]] = {
    "layers": ("cell_id", "layer", "quantity"),
    "histograms": ("cell_id", "layer", "quantity", "bin"),
}
"""What rows are merged by."""

_EXTREMES = {"minimum": np.minimum, "maximum": np.maximum}
_BATCH_ROWS = 2**21  # stored rows held at once before they are merged
_MOMENT_ROWS = 2**16  # merged rows whose moments are taken at once: Python's whole numbers take ten times the memory


def merge_layers(tables: Iterable[pa.Table]) -> pd.DataFrame:
    """Merge tables of `schema.LAYERS`: a row per (cell, layer, quantity), with mean, std and se.

    Sums are added and moments taken in whole numbers: no overflow, no cancellation.
    """
    merged = Merging("layers", tables).whole()
    live = merged["networks"] - merged["dead"] - merged["nonfinite"]
    mean, variance = np.full(len(live), np.nan), np.full(len(live), np.nan)
    for i in range(0, len(live), _MOMENT_ROWS):
        rows = slice(i, i + _MOMENT_ROWS)
        mean[rows], variance[rows] = _moments(live[rows], merged["total"][rows], merged["square"][rows])
    std, some = np.sqrt(variance) / FIXED_POINT, live > 0
    return _frame(merged, ("networks", "dead", "nonfinite")).assign(
        mean=mean, std=std, se=std / np.sqrt(np.maximum(live, 1)),
        min=np.where(some, merged["minimum"], np.nan), max=np.where(some, merged["maximum"], np.nan),
    )  # fmt: skip


def _moments(live: np.ndarray, totals: np.ndarray, squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean, and variance in units of the fixed point, by Python's whole numbers; NaN of too few networks."""
    total, square, count = wide.to_ints(totals), wide.to_ints(squares), live.astype(object)
    mean, variance = np.full(len(live), np.nan), np.full(len(live), np.nan)
    some, several = live > 0, live > 1
    mean[some] = total[some] / (count[some] * int(FIXED_POINT))
    spread = count[several] * square[several] - total[several] ** 2
    variance[several] = spread / (count[several] * (count[several] - 1))
    return mean, variance


def merge_histograms(tables: Iterable[pa.Table]) -> pd.DataFrame:
    """Merge tables of `schema.HISTOGRAMS`: a row per (cell, layer, quantity, bin) with its networks."""
    merged = Merging("histograms", tables).whole()
    return _frame(merged, ("bin", "networks"))


def merge(parts: list[Columns], keys: tuple[str, ...]) -> Columns:
    """Sort rows by the keys and add up those of equal keys; of ``minimum`` and ``maximum`` take the extreme."""
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = _order([whole[key] for key in keys])
    whole = {name: column[order] for name, column in whole.items()}
    starts = first_rows(whole, keys)
    if len(starts) == len(order):
        return whole
    for name, column in whole.items():
        summed = column[starts] if name in keys else _EXTREMES.get(name, np.add).reduceat(column, starts)
        whole[name] = wide.carried(summed) if summed.ndim == 2 else summed
    return whole


def _order(columns: list[np.ndarray]) -> np.ndarray:
    """Return the indices that sort rows by columns of whole numbers, those with equal numbers in the order they have.

    Where all columns of a row fit one number, rows are sorted by that: parts that are sorted, as those of files are,
    then merge in a quarter of the time that a sort by each column in turn takes.
    """
    bits, key = 0, np.zeros(len(columns[0]), np.int64)
    for column in columns if len(key) else []:
        low, high = int(column.min()), int(column.max())
        width = (high - low).bit_length()
        bits += width
        if bits > 63:
            return np.lexsort(columns[::-1])
        key = key << width | (column.astype(np.int64) - low)
    return np.argsort(key, kind="stable")


class Merging:
    """Rows of one kind merged as they come, a batch at a time, so that memory stays modest.

    Parameters
    ----------
    kind, tables
        Which tables, and the first of them, of which at least one must be added.
    keys
        What the merged rows are sorted by; by default as `KEYS`.
    """

    def __init__(self, kind: Kind, tables: Iterable[pa.Table] = (), keys: tuple[str, ...] | None = None) -> None:
        self._kind, self._keys = kind, keys or KEYS[kind]
        self._merged: Columns | None = None
        self._held, self._rows = list[Columns](), 0
        for table in tables:
            self.add(from_table(kind, table))

    def add(self, part: Columns) -> None:
        """Add some rows."""
        self._held.append(part)
        self._rows += len(part["cell_id"])
        merged = 0 if self._merged is None else len(self._merged["cell_id"])
        if self._rows > max(_BATCH_ROWS, merged):  # never few rows into many: that would sort the many each time
            self.whole()

    def whole(self) -> Columns:
        """Return all rows so far, merged."""
        held = self._held if self._merged is None else [self._merged, *self._held]
        self._merged = merge(held, self._keys)
        self._held, self._rows = [], 0
        return self._merged


def first_rows(whole: Columns, keys: tuple[str, ...]) -> np.ndarray:
    """Return where in sorted rows each new key begins."""
    new = np.zeros(len(whole[keys[0]]), bool)
    new[:1] = True
    for key in keys:
        new[1:] |= whole[key][1:] != whole[key][:-1]
    return np.flatnonzero(new)


def _frame(merged: Columns, names: tuple[str, ...]) -> pd.DataFrame:
    codes = merged["quantity"].astype(np.int8)
    counts = np.bincount(codes, minlength=len(NAMES))
    there = [name for name, count in zip(NAMES, counts, strict=True) if count or name in QUANTITIES]
    place = np.array([there.index(name) if name in there else -1 for name in NAMES], np.int8)
    quantity = pd.Categorical.from_codes(place[codes], pd.Index(there))
    keys = {"cell_id": merged["cell_id"], "layer": merged["layer"], "quantity": quantity}
    return pd.DataFrame(keys | {name: merged[name] for name in names})
