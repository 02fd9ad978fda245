"""Presets in a sweep: each stands for law, sigma_w and sigma_b, which are not given beside it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from gradsim.activations import AxisActivation
from gradsim.errors import SweepError
from gradsim.sweep.cells import Cell, round12
from gradsim_core.architectures import ARCHITECTURES, PLAIN, PRESETS
from gradsim_core.architectures.network import matrix_of, sigma_of

STOOD_FOR = ("law", "sigma_w", "sigma_b")
"""The axes that a preset stands for."""


def are_named(values: Mapping[str, Any]) -> bool:
    """Whether the keys of a sweep name presets."""
    return _names(values) not in ([], [PLAIN.preset])


def _names(values: Mapping[str, Any]) -> list[Any]:
    given = values.get("preset", PLAIN.preset)
    if given is None:
        raise SweepError("preset", None, f"one of {', '.join(PRESETS)}, or left out", "Leave it out, or name one")
    return [given] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)


def without_sigma_w(values: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a sweep; beside presets sigma_w has a value that no cell uses.

    Raises
    ------
    SweepError
        If they name what presets stand for as well, or a preset beside none.
    """
    if not are_named(values):
        return values
    given = values["preset"]
    if PLAIN.preset in _names(values):
        allowed = f"presets alone: without one ({PLAIN.preset}), sigma_w is given"
        raise SweepError("preset", given, allowed, "Make two sweeps")
    for axis in STOOD_FOR:
        if axis in values:
            remedy = f"Leave out {axis}, or preset"
            raise SweepError(axis, values[axis], "left out beside a preset, which stands for it", remedy)
    return values | {"sigma_w": 1.0}


def laws_of(presets: Iterable[str]) -> list[str]:
    """Return the weight laws of some presets."""
    return list(dict.fromkeys(PRESETS[name].law for name in presets))


def resolve(cell: Cell, activation: AxisActivation) -> Cell:
    """Return a cell with the law, sigma_b and sigma_w of its preset; sigma_w is that of the first matrix of a block."""
    preset = PRESETS[cell.preset]
    first = ARCHITECTURES[cell.architecture].matrices[0]
    sigma_w = sigma_of(cell.network, first, cell.depth, cell.width)
    found = (
        _critical(activation, cell.depth, cell.normalisation, cell.placement) if sigma_w is None else round12(sigma_w)
    )
    sigma_b = preset.sigma_b(matrix_of(cell.network, first, cell.depth, cell.width))
    return cell._replace(law=preset.law, sigma_w=found, sigma_b=round12(sigma_b))


@lru_cache(maxsize=256)
def _critical(activation: AxisActivation, depth: int, normalisation: str, placement: str) -> float:
    """The sigma_w at which the gain over a depth is 1 in mean field, without biases, with the network's own norms.

    It has 6 digits, which no change of a root finder reaches: numbers of networks depend on it.
    """
    from gradsim.theory import NoCriticalPoint, NoMeanField, boundary, stream_boundary

    if not isinstance(activation, str):
        allowed = "another preset for a user's own activation, whose functions datasets do not store"
        raise SweepError("preset", "critical", allowed, "Give sigma_w: gradsim.theory.boundary finds it")
    try:
        if normalisation == PLAIN.normalisation:
            return float(f"{boundary(activation, depth):.6g}")
        norms = {"normalisation": normalisation, "placement": placement}
        return float(f"{stream_boundary('plain', activation, depth, **norms):.6g}")
    except (NoCriticalPoint, NoMeanField) as none:
        allowed = f"activations and depths that have a critical sigma_w ({none.reason})"
        raise SweepError("preset", "critical", allowed, "Take another preset, or give sigma_w") from None
