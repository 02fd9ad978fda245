"""Where more networks narrow a boundary's interval: a new cell at its root, and how many networks each cell needs.

Near the root the log gain is a line in ln sigma_w with slope b, and the mean of n networks has the error s / sqrt(n).
The root of the interpolant (PCHIP) moves by g / b where a cell's mean errs by 1; g depends on the places of the cells
alone. So the root has the variance (s / b)^2 times the sum of g^2 / n, which is least for a given number of networks
if n is in proportion to g. A cell at the root has g = 1, all others 0, and needs the fewest networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtri

from gradsim.analysis.annealed import Array
from gradsim.analysis.boundaries import AXES, committed_networks, curve
from gradsim.analysis.kinds import find_kind
from gradsim.errors import SweepError
from gradsim.sweep.cells import round12
from gradsim.sweep.columns import with_network_axes
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.errors import check_probability

STAGE = 4.0
"""Most times that an interval becomes narrower at once, so that root and slope are known before the bulk is spent.

The stage before the last costs 1/16 of it.
"""

_LATE = 1.25  # times the stage's aim, up to which an interval goes on to the next stage
_CLEAR = 30.0  # standard errors by which the log gain rises over the cells that give the slope
_FURTHER = 6  # further cells on either side, at most, that may give the slope
_KNOTS = 3  # cells on either side of the root in the interpolant, which depends on two of them there
_NEAR, _ALMOST = 1.4, 1.5  # half-widths from the root to a cell, and aims in a half-width, without a new cell
_GROWTH, _EARLY_GROWTH = 1.1, 1.5  # times as many networks, at least, in the last stage, and in those before it
_NOISE = 1.5  # most times that half-width and expected noise exceed each other by, for noise to be the reason
_MOST = 2**47  # networks that are asked for at once: far more than can be run
_LEAST = 100  # networks of a new cell: its standard error has to be known


class Additions(NamedTuple):
    """What is added to a run.

    Attributes
    ----------
    cells
        Networks of each new cell, by a cell that has its other parameters (cell_id) and its sigma_w.
    networks
        Networks that are added to cells that there are, by cell_id.
    """

    cells: dict[tuple[int, float], int]
    networks: dict[int, int]

    def __bool__(self) -> bool:
        return bool(self.cells or self.networks)

    @property
    def total(self) -> int:
        """Number of all networks that are added."""
        return sum(self.cells.values()) + sum(self.networks.values())


def half_widths(boundary: pd.DataFrame) -> Array:
    """Return half the width of each boundary's interval, in sigma_w; NaN where there is none that can be refined."""
    known = boundary["trusted"].to_numpy(bool)
    width = (boundary["ci_high"] - boundary["ci_low"]).to_numpy(np.float64)
    return np.where(known, 0.5 * width, np.nan)


def check_target(target: float) -> float:
    """Return the target as a float; raise :class:`SweepError` unless it is a finite number > 0."""
    if isinstance(target, bool) or not isinstance(target, int | float | np.number) or not 0.0 < target < np.inf:
        allowed = "a finite number > 0: half the width of an interval, in sigma_w"
        raise SweepError("target", target, allowed, "Write for example 0.005")
    return float(target)


@ignoring_floating_point_errors
def additions(
    summary: pd.DataFrame, boundary: pd.DataFrame, target: float, level: float = 0.95, stage: float = STAGE
) -> Additions:
    """Return the cells and networks that bring each boundary's interval nearer to the target half-width.

    A pure function of the tables. Boundaries whose interval is narrow enough, and not only by chance (see
    `_Root.width`), or that have no interval or none that is trusted (see `half_widths`), get nothing.

    Parameters
    ----------
    summary
        Rows of :func:`gradsim.analysis.summary`, with the moments among the kinds.
    boundary
        Rows of :func:`gradsim.analysis.boundary` for the kinds that are refined.
    target
        Half-width of an interval that is to be reached, in sigma_w.
    level
        Probability that the intervals cover the boundary.
    stage
        Most times that an interval is to become narrower.

    Raises
    ------
    SweepError
        For a target that is no positive number, or a level outside (0, 1).
    """
    target, z = check_target(target), float(ndtri(0.5 + check_probability("level", level) / 2))
    found = Additions({}, {})
    for cells, root in _roots(summary, boundary, z):
        if root.width > target:
            aim = _aim(root.width, target, stage)
            growth = _EARLY_GROWTH if aim > target else _GROWTH
            _add(found, cells, root.wanted(_planned(found, cells), aim, growth))
    return found


@ignoring_floating_point_errors
def uniform_networks(
    summary: pd.DataFrame, boundary: pd.DataFrame, cells: int, target: float, level: float = 0.95
) -> Array:
    """Return how many networks each cell of the sweep needs by itself for an interval of the target half-width.

    The noise alone is counted, with the slope that is known now; NaN without a trusted interval, or without a slope.

    Parameters
    ----------
    summary, boundary, target, level
        As for :func:`additions`; shape of the result (boundaries,).
    cells
        Number of cells of the sweep: those with a smaller cell_id.
    """
    z, found = float(ndtri(0.5 + check_probability("level", level) / 2)), np.full(len(boundary), np.nan)
    places = np.flatnonzero(np.isfinite(half_widths(boundary)))
    for place, (group, root) in zip(places, _roots(summary, boundary, z), strict=True):
        sigma_w = group.loc[group["cell_id"] < cells, "sigma_w"].to_numpy(np.float64)
        found[place] = root.uniform_networks(sigma_w, target)
    return found


def _roots(summary: pd.DataFrame, boundary: pd.DataFrame, z: float) -> Iterator[tuple[pd.DataFrame, _Root]]:
    """The roots that can be refined, each with its cells in order of sigma_w."""
    axes = with_network_axes(AXES, summary)
    groups = dict(list(summary.sort_values("sigma_w").groupby(axes, sort=True)))
    wide = boundary.assign(half_width=half_widths(boundary)).dropna(subset="half_width")
    records: list[dict[Any, Any]] = wide.to_dict("records")
    for row in records:
        cells = groups[tuple(row[name] for name in axes)]
        yield cells, _Root(cells, row, z)


def _aim(half_width: float, target: float, stage: float) -> float:
    """The half-width of the next stage: the target times the least power of ``stage`` that is not too far away."""
    aim = target
    while half_width > _LATE * stage * aim:
        aim *= stage
    return aim


def _planned(found: Additions, cells: pd.DataFrame) -> list[float]:
    """The sigma_w of new cells of this group that another kind of boundary has asked for."""
    ids = set(cells["cell_id"].tolist())
    return [sigma_w for template, sigma_w in found.cells if template in ids]


def _add(found: Additions, cells: pd.DataFrame, wanted: Mapping[float, int]) -> None:
    """Add networks at these sigma_w: to the cells that there are, or to new ones. Two kinds share their networks."""
    ids = dict(zip(cells["sigma_w"].tolist(), cells["cell_id"].tolist(), strict=True))
    template = min(ids.values())
    for sigma_w, count in wanted.items():
        if sigma_w in ids:
            found.networks[ids[sigma_w]] = max(found.networks.get(ids[sigma_w], 0), count)
        else:
            found.cells[template, sigma_w] = max(found.cells.get((template, sigma_w), _LEAST), count)


class _Root:
    """A root, the cells about it, and the networks that narrow its interval."""

    def __init__(self, cells: pd.DataFrame, row: Mapping[str, Any], z: float) -> None:
        self.root, self.half, self.z = float(row["sigma_w"]), float(row["half_width"]), z
        sigma_w, value, se = curve(cells, find_kind(row["kind"]))
        usable = np.isfinite(value) & np.isfinite(se)
        self.x, self.se, networks = sigma_w[usable], se[usable], committed_networks(cells)[usable]
        self.y = value[usable] * (-1.0 if row["direction"] == "down" else 1.0)
        self.networks = dict(zip(self.x.tolist(), networks.tolist(), strict=True))
        right = int(np.clip(np.searchsorted(self.x, self.root), 1, len(self.x) - 1))
        self.pair = [right - 1, right]
        self.deviation = float(np.sqrt(np.mean(self.se[self.pair] ** 2 * networks[self.pair])))
        self.slope = self._slope()
        self.unit = self.z * self.deviation / self.slope if self.slope > 0.0 else np.inf
        self.weights = self._weights(self.x)
        self.square = sum(weight**2 / self.networks[x] for x, weight in self.weights.items())
        self.noise = min(self.unit * float(np.sqrt(self.square)), _NOISE * self.half)

    @property
    def width(self) -> float:
        """Half the width of the interval, or what the slope over more cells lets expect, if that is larger.

        The slope between two near cells is noisy, and half the width with it: to stop wherever that happens to be
        small would leave intervals that are too narrow.
        """
        return max(self.half, self.noise)

    def wanted(self, planned: Sequence[float], aim: float, growth: float) -> dict[float, int]:
        """Return the networks to add, by sigma_w: to the cells about the root, or also to a new one if that is cheaper.

        ``planned`` are cells that will be there; the networks are to become ``growth`` times as many at least.
        """
        grown = max(self.width * self.noise / aim**2, self.width / aim, growth)
        stay = self._lacking(self.weights, self.square / grown)
        place = self._place(planned) if self.slope > 0.0 and self.width > _ALMOST * aim else None
        if place is None:
            return stay
        move = self._lacking(self._weights(np.append(self.x, place)), (aim / self.unit) ** 2)
        explained = self.half < _NOISE * self.noise
        return stay if explained and sum(stay.values()) <= sum(move.values()) else move

    def uniform_networks(self, sigma_w: Array, aim: float) -> float:
        """Networks of each of these cells, if they were the only ones, that give the aim."""
        weights = self._weights(sigma_w[np.isin(sigma_w, self.x)])
        each = (self.unit / aim) ** 2 * sum(weight**2 for weight in weights.values())
        return each if np.isfinite(each) else np.nan

    def _weights(self, x: Array) -> dict[float, float]:
        """How far the root moves with the mean of each cell about it, times the slope.

        The root mean square over where the root may be: three nodes of Gauss and Hermite.
        """
        near = np.sort(x)[slice(*self._about(x))]
        step = 1e-3 * (near[-1] - near[0])
        line = near - self.root
        curves = PchipInterpolator(near, np.vstack([line, line + step * np.eye(len(near))]), axis=1)
        roots = self.root + np.array([-1.0, 0.0, 1.0]) * np.sqrt(3.0) * self.half / self.z
        values = curves(np.clip(roots, near[0], near[-1]))
        square = ((values[1:] - values[0]) / step) ** 2 @ np.array([1.0, 4.0, 1.0]) / 6.0
        return dict(zip(near.tolist(), np.sqrt(square).tolist(), strict=True))

    def _about(self, x: Array) -> tuple[int, int]:
        """First and last + 1 of the cells about the root."""
        right = int(np.sum(x < self.root))
        return max(right - _KNOTS, 0), right + _KNOTS

    def _lacking(self, weights: Mapping[float, float], variance: float) -> dict[float, int]:
        """The fewest networks that bring the sum of weight^2 / networks to a variance, beside those that there are."""
        weight, have = np.array(list(weights.values())), np.array([self.networks.get(x, 0.0) for x in weights])
        short, share = weight > 0.0, np.zeros_like(weight)
        for _ in weights:
            enough = ~short & (weight > 0.0)
            rest = variance - np.sum(weight[enough] ** 2 / have[enough])
            share = np.where(short, weight * np.sum(weight[short]) / rest, 0.0)
            if not np.any(short & (share <= have)):
                break
            short &= share > have
        lacking = np.where(short, share - have, 0.0)
        return {x: _rounded_up(n) for x, n in zip(weights, lacking.tolist(), strict=True) if n > 0.0}

    def _slope(self) -> float:
        """Rise of the log gain over the nearest cells of which it is clear, or over those of which it is clearest."""
        best, slope = 0.0, float("nan")
        for further in range(_FURTHER + 1):
            first, last = max(self.pair[0] - further, 0), min(self.pair[1] + further, len(self.x) - 1)
            rise = float(self.y[last] - self.y[first])
            clear = rise / float(np.hypot(self.se[first], self.se[last]) or 1e-300)
            if clear > best:
                best, slope = clear, rise / float(self.x[last] - self.x[first])
            if best > _CLEAR:
                break
        return slope

    def _place(self, planned: Sequence[float]) -> float | None:
        """Where a new cell would be: at the root, or where one is planned near it; None if a cell is near.

        It is rounded, so that it does not depend on the last bits of the root.
        """
        near = [x for x in (*self.x.tolist(), *planned) if abs(x - self.root) < _NEAR * self.half]
        if near:
            return next((x for x in near if x not in self.networks), None)
        return round12(round(self.root, 1 - int(np.floor(np.log10(self.half)))))


def _rounded_up(count: float) -> int:
    """A number of networks to three digits, so that it does not depend on the last bits of an estimate."""
    unit: int = 10 ** max(int(np.floor(np.log10(max(count, 1.0)))) - 2, 0)
    return min(max(int(np.ceil(count / unit)), 1) * unit, _MOST)
