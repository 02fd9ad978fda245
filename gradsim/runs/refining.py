"""Refinement of a run: cells and networks are added where boundaries lie, until their intervals are narrow enough."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from gradsim import analysis, engines
from gradsim.analysis.boundaries import AXES
from gradsim.analysis.refinement import STAGE, Additions, additions, check_target, half_widths, uniform_networks
from gradsim.dataset.dataset import Dataset
from gradsim.errors import SweepError
from gradsim.runs import computing, tables
from gradsim.simulation.partition import ALL
from gradsim.simulation.plan import Plan, check_cap, extended, plan
from gradsim.sweep.columns import with_network_axes
from gradsim.sweep.extension import Extension
from gradsim.system.progress import Progress
from gradsim.system.streams import counted
from gradsim.theory.errors import check_probability

MOST_ROUNDS = 16
"""Most extensions that one call makes: four on average, rarely eight, reach a target that is thirty times narrower."""


@dataclass(frozen=True)
class Aim:
    """Which boundaries are to be known how well: half the width of the intervals of these kinds, at this level."""

    target: float
    kinds: str | Sequence[str] = "quenched"
    level: float = 0.95

    def check(self) -> None:
        """Raise :class:`SweepError` for a wrong value."""
        check_target(self.target)
        check_probability("level", self.level)
        if not analysis.find_kinds(self.kinds):
            raise SweepError("kinds", self.kinds, "one or more kinds of boundaries", 'Write for example "quenched"')


class Precision(NamedTuple):
    """How well the boundaries of a run are known, and at what cost.

    Attributes
    ----------
    table : pandas.DataFrame
        A row per boundary: activation, law, sigma_b, width, depth, kind; sigma_w, ci_low, ci_high;
        ``half_width_before``, half the width of the interval in sigma_w from the sweep alone, and ``half_width`` from
        all there is now; ``reached``; ``networks`` of all cells with these axes, and ``uniform_networks``, which a
        uniform grid of the same precision has: that of the sweep with (half_width_before / target)^2 times the
        networks, for all kinds together; ``reason`` why it is not refined, or not reached.
    networks, uniform_networks : int
        The same, of all cells with these axes together, where any kind is refined.
    rounds : int
        Number of extensions of the dataset.
    """

    table: pd.DataFrame
    networks: int
    uniform_networks: int
    rounds: int

    @property
    def refinable(self) -> int:
        """Number of boundaries that can be refined: those with an interval that is to be trusted."""
        return int(self.table["half_width"].notna().sum())

    @property
    def reached(self) -> bool:
        """Whether every boundary that can be refined is within the target, and there is one."""
        return 0 < self.refinable == self.table["reached"].sum()


class Tables(NamedTuple):
    """What is known of a complete dataset: its cells, and the boundaries that are refined."""

    summary: pd.DataFrame
    boundary: pd.DataFrame

    @classmethod
    def of(cls, dataset: Dataset, aim: Aim) -> Self:
        """Compute them."""
        names = [kind.name for kind in analysis.find_kinds(aim.kinds)]
        summary = tables.summary(dataset, kinds=names)
        return cls(summary, tables.boundary(dataset, aim.level, names, summary))


def precision(dataset: Dataset, aim: Aim, known: Tables | None = None) -> Precision:
    """Return how well the boundaries of a dataset are known; ``known`` are its tables, if at hand."""
    known = Tables.of(dataset, aim) if known is None else known
    found, sweep = known.boundary, dataset.sweep
    before = tables.boundary(dataset.before, aim.level, aim.kinds) if dataset.plan.extensions else found
    axes = with_network_axes(AXES, found)
    table = found[[*axes, "kind", "sigma_w", "ci_low", "ci_high"]].assign(
        half_width_before=half_widths(before), half_width=half_widths(found)
    )
    usable = table["half_width"].notna()
    table["reached"] = usable & (table["half_width"] <= aim.target)
    alone = uniform_networks(known.summary, found, sweep.cell_count, aim.target, aim.level)
    each = pd.Series(alone, table.index).clip(lower=sweep.networks)
    cells = dataset.cells()
    sizes = cells.assign(base=cells["cell_id"] < sweep.cell_count).groupby(axes)[["networks", "base"]].sum()
    table = table.join(sizes, on=axes)
    uniform = np.ceil(each.groupby([table[name] for name in axes]).transform("max") * table["base"])
    table["uniform_networks"] = uniform.astype("Int64")
    table["reason"] = [
        reason if not there else None if done else f"Half the width of its interval is still {width:.3g}."
        for reason, there, done, width in zip(
            found["reason"], usable, table["reached"], table["half_width"], strict=True
        )
    ]
    once = table[usable].drop_duplicates(axes)[["networks", "uniform_networks"]].sum()
    totals = int(once["networks"]), int(once["uniform_networks"])
    return Precision(table.drop(columns="base"), *totals, len(dataset.plan.extensions))


def wanted(known: Tables, aim: Aim, stage: float = STAGE) -> Additions:
    """Return what is to be added next; all at once with ``stage`` inf."""
    return additions(known.summary, known.boundary, aim.target, aim.level, stage)


def refine(dataset: Dataset, aim: Aim, means: computing.Means) -> tuple[Dataset, int, Precision]:
    """Refine a dataset: see `Run.refine`. Returns it with its extensions, the number of networks computed, and the end.

    What is added is decided from committed shards alone, and only once none is missing: so a refinement that was
    killed goes on as if nothing had happened, and of two at the same time both take what the first one wrote.
    """
    aim.check()
    means.check(dataset.sweep)
    for name in dataset.sweep.own:
        dataset.sweep.find_activation(name)
    computed = 0
    with engines.opened(means.engine, means.threads) as engine:
        dataset = Dataset.create(dataset.path, plan(dataset.sweep))
        for rounds in range(MOST_ROUNDS + 1):
            check_cap(dataset.plan, yes=means.yes)
            computed += computing.complete(dataset, ALL, engine, means)
            known = Tables.of(dataset, aim)
            more = wanted(known, aim)
            if not more or rounds == MOST_ROUNDS:
                break
            extension = extension_of(dataset.plan, more)
            _check_work(dataset, extension, aim, known.boundary, means.yes)
            _say(means, known.boundary, aim, more, len(dataset.plan.extensions))
            dataset = dataset.extended(extension)
    return dataset, computed, precision(dataset, aim, known)


def extension_of(work: Plan, more: Additions) -> Extension:
    """Return what is to be added as the next extension of a plan."""
    new = sorted(more.cells.items())
    networks = sorted(more.networks.items())
    networks += [(len(work.cells) + i, count) for i, (_, count) in enumerate(new)]
    return Extension(parent=work.content_hash, cells=tuple(cell for cell, _ in new), networks=tuple(networks))


def _check_work(dataset: Dataset, extension: Extension, aim: Aim, found: pd.DataFrame, yes: bool) -> None:
    """Raise :class:`SweepError`, with what was reached, where the next extension would be more than may be run."""
    try:
        check_cap(extended(dataset.plan, extension), yes=yes)
    except SweepError as error:
        width = half_widths(found)
        done, of = int((width <= aim.target).sum()), int(np.isfinite(width).sum())
        remedy = f"{error.remedy}, or take a larger target. Reached so far: {done} of {of} boundaries, the widest "
        remedy += f"interval is ± {np.nanmax(width):.3g}; nothing is lost"
        raise SweepError(error.field, error.value, error.allowed, remedy) from None


def _say(means: computing.Means, found: pd.DataFrame, aim: Aim, more: Additions, rounds: int) -> None:
    left = int((half_widths(found) > aim.target).sum())
    Progress(1, 1, means.progress).note(
        f"Extension {rounds}: {counted(left, 'interval')} wider than ± {aim.target:g}; "
        f"{counted(len(more.cells), 'new cell')}, {counted(more.total, 'network')}."
    )
