"""Where more networks narrow a boundary's interval: new cells at its two sides, and how many networks each needs.

Near the root the log gain is a line in sigma_w with slope b, and the mean of n networks has the error s / sqrt(n). Two
cells around the root, whose networks are shared out by their weights in the interpolation, N in total, give the root
with the error s / (b sqrt(N)), wherever between them it lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from gradsim.analysis.annealed import Array
from gradsim.analysis.boundaries import AXES, committed_networks, curve
from gradsim.analysis.kinds import find_kind
from gradsim.errors import SweepError
from gradsim.sweep.cells import round12
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.errors import check_probability

STAGE = 4.0
"""Most times that an interval becomes narrower at once, so that root and slope are known before the bulk is spent.

The stage before the last costs 1/16 of it.
"""

_CLEAR = 10.0  # standard errors by which the log gain rises over the cells that give the slope
_FURTHER = 6  # further cells on either side, at most, that may give the slope
_REACH, _FEWEST = 2.0, 3.0  # half-widths, and times the aim, from the root to new cells: see `_Root._place`
_BEND = 0.2  # of the aim that may come from the cells beyond the two, and most of the networks for that
_GROWTH, _EARLY_GROWTH = 1.05, 2.0  # times as many networks, at least, in the last stage, and in those before it
_SPARE = 0.1  # least share of one of two cells: the root may turn out to lie on that side
_NOISE = 1.5  # times the half-width that the noise explains, up to which it is the noise that has to shrink
_WIDE, _ALMOST = 9.0, 1.5  # times the aim: the distance of two cells, or a half-width, up to which the cells are kept
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

    A pure function of the tables. Boundaries that are narrow enough, or have no interval or none that is trusted, get
    nothing; see `half_widths`.

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
    wide = boundary.assign(half_width=half_widths(boundary))
    wide = wide[wide["half_width"] > target]
    groups, found = dict(list(summary.sort_values("sigma_w").groupby(AXES, sort=True))), Additions({}, {})
    records: list[dict[Any, Any]] = wide.to_dict("records")
    for row in records:
        cells, aim = groups[tuple(row[name] for name in AXES)], _aim(row["half_width"], target, stage)
        growth = _EARLY_GROWTH if aim > target else _GROWTH
        _add(found, cells, _Root(cells, row, aim, z).wanted(_planned(found, cells), growth))
    return found


def _aim(half_width: float, target: float, stage: float) -> float:
    """The half-width of the next stage: the target times the least power of ``stage`` that is not too far away."""
    aim = target
    while half_width > 1.5 * stage * aim:
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
    """A root, the cells on its two sides, and the networks that narrow its interval to an aim."""

    def __init__(self, cells: pd.DataFrame, row: Mapping[str, Any], aim: float, z: float) -> None:
        self.root, self.half, self.aim, self.z = float(row["sigma_w"]), float(row["half_width"]), aim, z
        sigma_w, value, se = curve(cells, find_kind(row["kind"]))
        usable = np.isfinite(value) & np.isfinite(se)
        self.x, self.se, networks = sigma_w[usable], se[usable], committed_networks(cells)[usable]
        self.y = value[usable] * (-1.0 if row["direction"] == "down" else 1.0)
        self.networks = dict(zip(self.x.tolist(), networks.tolist(), strict=True))
        right = int(np.clip(np.searchsorted(self.x, self.root), 1, len(self.x) - 1))
        self.pair = [right - 1, right]
        self.deviation = float(np.sqrt(np.mean(self.se[self.pair] ** 2 * networks[self.pair])))
        self.slope = self._slope()

    def wanted(self, planned: Sequence[float], growth: float) -> dict[float, int]:
        """Return the networks to add, by sigma_w: at the two cells beside the root if that helps, else at nearer ones.

        ``planned`` are cells that will be there; the networks are to become ``growth`` times as many at least.
        """
        left, right = (float(self.x[place]) for place in self.pair)
        errors = self._weights(left, right) / np.sqrt([self.networks[left], self.networks[right]])
        stay = self._shares(left, right, max((self.half / self.aim) ** 2, growth) / float(np.sum(errors**2)))
        if not self.slope > 0.0:
            return stay
        if self._may_stay(left, right):
            return self._supports(left, right) | stay
        left, right = self._place(-1.0, planned), self._place(1.0, planned)
        move = self._shares(left, right, self._networks(self.aim))
        return self._supports(left, right) | (move or stay)

    def _networks(self, half_width: float) -> float:
        """Networks of two cells around the root, together, that give it with this half-width."""
        return (self.z * self.deviation / (self.slope * half_width)) ** 2

    def _supports(self, left: float, right: float) -> dict[float, int]:
        """What the next cells beyond two lack, which bend the interpolant (PCHIP) between them.

        A rise that is wrong by e over the gap h beyond changes the slope at the cell by w e / h, w = (2 g + h) / (3 (g
        + h)) for a gap g between the two, and moves a root in the middle by g / 8 times that. Few networks keep it
        small; without them, it may be half of the interval.
        """
        found, gap = {}, right - left
        for side, edge in ((-1.0, left), (1.0, right)):
            beyond = [x for x in self.x.tolist() if side * (x - edge) > 0.0]
            if beyond:
                x = min(beyond, key=lambda x: abs(x - edge))
                share = gap / 8.0 * (2.0 * gap + abs(x - edge)) / (3.0 * (gap + abs(x - edge))) / abs(x - edge)
                lacking = min(self._networks(_BEND * self.aim / share), _BEND * self._networks(self.aim))
                if lacking > self.networks[x]:
                    found[x] = _rounded_up(lacking - self.networks[x])
        return found

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

    def _weights(self, left: float, right: float) -> Array:
        """Weights of two cells in the interpolation at the root."""
        share = min(max((self.root - left) / (right - left), 0.0), 1.0)
        return np.array([1.0 - share, share])

    def _shares(self, left: float, right: float, networks: float) -> dict[float, int]:
        """What two cells lack of so many networks, shared out by their weights; nothing where they have enough."""
        shares = networks * np.maximum(self._weights(left, right), _SPARE)
        lacking = {
            x: share - self.networks.get(x, 0.0) for x, share in zip((left, right), shares.tolist(), strict=True)
        }
        return {x: _rounded_up(count) for x, count in lacking.items() if count > 0.0 or x not in self.networks}

    def _place(self, side: float, planned: Sequence[float]) -> float:
        """The nearest cell on one side, or a new one a little beyond the interval if there is none so near.

        It is rounded, so that it does not depend on the last bits of the root.
        """
        reach = min(max(_REACH * self.half, _FEWEST * self.aim), 0.5 * self.root)
        here = [x for x in (*self.x.tolist(), *planned) if (x < self.root) == (side < 0.0)]
        near = [x for x in here if abs(x - self.root) < 2.0 * reach]
        if near:
            return float(min(near, key=lambda x: abs(x - self.root)))
        digits = 1 - int(np.floor(np.log10(reach)))
        return round12(round(self.root + side * reach, digits))

    def _may_stay(self, left: float, right: float) -> bool:
        """Whether more networks at these two cells narrow the interval: it is noise that makes it wide.

        The error of the interpolation, unseen as long as the noise is larger, is small between near cells.
        """
        noise = self.z * float(np.linalg.norm(self._weights(left, right) * self.se[self.pair])) / self.slope
        near = 0.5 * (right - left) <= _WIDE * self.aim or self.half <= _ALMOST * self.aim
        return near and self.half <= _NOISE * noise


def _rounded_up(count: float) -> int:
    """A number of networks to three digits, so that it does not depend on the last bits of an estimate."""
    unit: int = 10 ** max(int(np.floor(np.log10(max(count, 1.0)))) - 2, 0)
    return min(max(int(np.ceil(count / unit)), 1) * unit, _MOST)
