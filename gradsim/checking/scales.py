"""How the matrices in the branches of a stream stand beside each other: which of them carry the scale of branches."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, log
from typing import NamedTuple

import numpy as np

from gradsim.checking.blocks import FEWEST
from gradsim.checking.measurements import Measurements, Parameter
from gradsim.checking.structure import Stream

_EXPONENTS = (0.0, 0.5, 1.0)  # no scale; 1/sqrt(sums); the same twice
_UNLIKELY = 0.1  # in ln std: what a scale costs an explanation of the stds, and twice that where it does not belong
_UNSCALED = 0.25  # in the exponent, for matrices without others beside them


class Scale(NamedTuple):
    """How the matrices of one family stand beside the others of their block.

    Attributes
    ----------
    family
        Names with ``*``.
    std, base
        Typical standard deviation, and the one that the other matrices of the block give for it.
    exponent
        p in std = base / sums^p, where ``sums`` branches are added to the stream: 0 unscaled, 1/2 the usual scale.
    writes
        Whether its product is added to the stream.
    """

    family: str
    std: float
    base: float
    exponent: float
    writes: bool


class _Family(NamedTuple):
    """The matrices of one place in the blocks."""

    name: str
    log_stds: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
    matrices: list[Parameter]
    writes: bool


class _Unit(NamedTuple):
    """ln of the standard deviation that a shape has, up to a factor."""

    weight_in: float
    weight_out: float
    unlikely: float = 0.0

    def __call__(self, one: Parameter) -> float:
        count = self.weight_in * one.fan_in + self.weight_out * one.fan_out
        return -0.5 * log(count) if count else 0.0


_BY_FAN_IN = _Unit(1.0, 0.0)
_UNITS = (_Unit(0.0, 0.0), _BY_FAN_IN, _Unit(0.5, 0.5), _Unit(0.0, 1.0, 0.15))  # the same std; fan_in; Xavier; fan_out


def scales(measured: Measurements, families: Mapping[str, list[str]], stream: Stream) -> tuple[Scale, ...]:
    """Return the scale of each family of matrices in the branches of a stream.

    Parameters
    ----------
    measured
        The networks.
    families
        Names of the matrices that repeat.
    stream
        Its structure; at least two branches.

    Notes
    -----
    Which standard deviation is that without a scale is not given: of four rules for it by shape, and the level of each
    family, the pair is taken for which the fewest families need a scale, or deviate.
    A matrix of four times as many outputs at 1/sqrt(sums) then is no sign of a rule by fan_out.
    """
    found, sums = _families(measured, families, stream), len(stream.branches)
    if not any(one.writes for one in found):
        return ()
    live = [one for one in found if np.isfinite(_level(one, _UNITS[0]))]
    others = [one for one in live if not one.writes]
    unit, base = _explanation(live, sums) if others else (_BY_FAN_IN, 0.0)
    stands = [_scale(one, unit, base, sums) for one in found]
    if others:
        return tuple(stands)
    # Beside std = 1 / sqrt(fan_in) alone: what is far from it may have a gain of its own, or a scale.
    return tuple(one._replace(exponent=0.0) for one in stands if abs(one.exponent) < _UNSCALED)


def _families(measured: Measurements, families: Mapping[str, list[str]], stream: Stream) -> list[_Family]:
    """Families of which three members or more belong to one branch each."""
    inside, writers, found = stream.inside, set(stream.writers), []
    for family, names in families.items():
        own = [name for name in names if name in inside]
        if len(own) < FEWEST:
            continue
        stds = [measured.moments[name].std for name in own]
        logs = np.array([log(std) if std > 0.0 else -inf for std in stds])
        found.append(_Family(family, logs, [measured.parameters[name] for name in own], bool(writers & set(own))))
    return found


def _level(one: _Family, unit: _Unit) -> float:
    """Median of ln std over what the shape gives."""
    return float(np.median(one.log_stds - np.array([unit(matrix) for matrix in one.matrices])))


def _explanation(found: list[_Family], sums: int) -> tuple[_Unit, float]:
    best: tuple[float, _Unit, float] | None = None
    for unit in _UNITS:
        levels = [(_level(one, unit), one.writes) for one in found]
        for base, _ in levels:
            cost = unit.unlikely + sum(_deviation(level - base, writes, sums) for level, writes in levels)
            if best is None or cost < best[0] - 1e-3:
                best = cost, unit, base
    assert best is not None
    return best[1:]


def _deviation(log_ratio: float, writes: bool, sums: int) -> float:
    """How far a family is from the nearest scale, and how unlikely that scale is there."""
    unlikely = _UNLIKELY if writes else 2.0 * _UNLIKELY
    return min(abs(log_ratio + power * log(sums)) + 2.0 * power * unlikely for power in _EXPONENTS)


def _scale(one: _Family, unit: _Unit, base: float, sums: int) -> Scale:
    expected = base + np.array([unit(matrix) for matrix in one.matrices])
    ratio = float(np.median(one.log_stds - expected))
    std, level = float(np.exp(np.median(one.log_stds))), float(np.exp(np.median(expected)))
    return Scale(one.name, std, level, -ratio / log(sums), one.writes)
