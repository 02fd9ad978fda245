"""A small dataset with known values, for the tests of datasets."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from gradsim.dataset.dataset import Dataset
from gradsim.simulation.plan import Plan, Shard
from gradsim.sweep import Sweep
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.statistics import BINS_PER_LN, FIXED_POINT, Sums

RUN = {
    "activation": ["tanh", "relu"],
    "sigma_w": [0.8, 1.2, 1.6, 2.0],
    "depth": [3, 6],
    "width": 8,
    "networks": 300,
    "seed": 5,
    "shard_size": 100_000,
}
"""A sweep that takes a moment to run, in some shards."""

SWEEP = Sweep(
    activation="tanh",
    sigma_w=[1, 2],
    depth=[1, 3],
    width=2,
    networks=9,
    seed=1,
    record="networks",
    shard_size=60,
)


def values_of(cell_id: int, first: int, count: int, depth: int) -> np.ndarray:
    """Values (4, count, depth) that depend on the network alone: some dead, some not finite."""
    values = np.empty((4, count, depth))
    for i in range(count):
        values[:, i] = np.random.default_rng([cell_id, first + i]).normal(1e3 * cell_id, 3, (4, depth))
        if (first + i) % 7 == 6:
            values[:, i] = -np.inf
        if (first + i) % 11 == 5:
            values[:, i] = np.nan
    return values


def sums_of(values: np.ndarray) -> Sums:
    """What the core's reduction gives, written with Python's whole numbers."""
    _, count, depth = values.shape
    names = ("networks", "dead", "nonfinite", "total", "high", "low")
    out = {name: np.zeros((4, depth), np.int64) for name in names}
    low, high = np.full((4, depth), np.inf), np.full((4, depth), -np.inf)
    bins: dict[tuple[int, int], int] = {}
    for q, layer in np.ndindex(4, depth):
        column = values[q, :, layer]
        live = column[np.isfinite(column)]
        whole = [round(v * FIXED_POINT) for v in live.tolist()]
        square = sum(k * k for k in whole)
        facts = (
            count,
            (column == -np.inf).sum(),
            np.isnan(column).sum(),
            sum(whole),
            square >> 50,
            square % 2**50,
        )
        for name, fact in zip(names, facts, strict=True):
            out[name][q, layer] = fact
        low[q, layer], high[q, layer] = live.min(initial=np.inf), live.max(initial=-np.inf)
        for v in live:
            key = (q * depth + layer, math.floor(v * BINS_PER_LN))
            bins[key] = bins.get(key, 0) + 1
    columns, numbers = np.array(sorted(bins), np.int64).reshape(-1, 2).T
    counts = np.array([bins[key] for key in sorted(bins)], np.int64)
    return Sums(*out.values(), low, high, columns, numbers.astype(np.int32), counts)


def commit(dataset: Dataset, shard: Shard) -> bool:
    depth = {cell.cell_id: cell.depth for cell in dataset.plan.cells}
    values = {p.cell_id: values_of(p.cell_id, p.first, p.count, depth[p.cell_id]) for p in shard.slices}
    return dataset.commit_shard(shard, {cell: sums_of(v) for cell, v in values.items()}, values, 1.5)


def full(path: Path, sweep: Sweep = SWEEP) -> Dataset:
    dataset = Dataset.create(path, Plan(sweep))
    for index in dataset.missing():
        commit(dataset, dataset.plan.shard(index))
    return dataset


def truth() -> dict[tuple[int, int, str], np.ndarray]:
    return {
        (cell.cell_id, layer, quantity): values_of(cell.cell_id, 0, 9, cell.depth)[q, :, layer - 1]
        for cell in SWEEP.cells()
        for layer in range(1, cell.depth + 1)
        for q, quantity in enumerate(QUANTITIES)
    }


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of all tables."""
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.glob("data/*/*"))}
