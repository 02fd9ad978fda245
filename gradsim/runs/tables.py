"""The tables of what a dataset holds: a row per cell, and a row per boundary."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from gradsim import analysis
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.reading import Rows
from gradsim.sweep import Sweep
from gradsim.theory.errors import check_probability
from gradsim_core.activations import Activation


def summary(dataset: Dataset, level: float = 0.95, kinds: Sequence[str] = ()) -> pd.DataFrame:
    """Return a row per cell: see `Run.summary`."""
    level, found = check_probability("level", level), analysis.find_kinds(kinds)
    cells, now = dataset.cells(), dataset.snapshot()
    complete = pd.Series(now.networks_done() == dataset.plan.cell_networks, index=cells["cell_id"])
    depths = sorted({int(depth) for depth in dataset.sweep.depth})
    sums = now.merged_layers(Rows(None, [1], ["log_gain", "log_delta"]), Rows(None, depths, ["log_q"]))
    histograms = now.read_histograms(layer=[1], quantity="log_gain")
    moments = [kind.name for kind in found if kind.is_moment]
    return analysis.summary(cells, sums, histograms, complete, own_activations(dataset.sweep), moments, level)


def boundary(
    dataset: Dataset,
    level: float = 0.95,
    kinds: str | Sequence[str] = analysis.KINDS,
    rows: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return a row per boundary: see `Run.boundary`; ``rows`` is what `summary` returned for these kinds."""
    names = [kind.name for kind in analysis.find_kinds(kinds)]
    rows = summary(dataset, kinds=names) if rows is None else rows
    return analysis.boundary(rows, level, own_activations(dataset.sweep), names)


def growth(dataset: Dataset, rows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return a row per cell beside its mean field: see `Run.growth`; ``rows`` is what `summary` returned."""
    rows = summary(dataset) if rows is None else rows
    return analysis.growth(rows, own_activations(dataset.sweep))


def own_activations(sweep: Sweep) -> dict[str, Activation]:
    """Return a user's own activations of a sweep by name, those whose functions are known."""
    return {value.name: value for value in sweep.activation if isinstance(value, Activation)}
