"""Which methods can sample the networks of a sweep, and how much work they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gradsim.errors import SweepError, suggestion
from gradsim.sweep.cells import Cell
from gradsim_core.architectures import METHODS, PLAIN, normals
from gradsim_core.laws import WeightLaw
from gradsim_core.tapes.schedule import may_run

NAMES = f"one of {', '.join(METHODS)}"
"""The methods, in words."""


def known_method(value: object) -> object:
    """Return the name of a method; raises :class:`SweepError` for any other value."""
    if isinstance(value, str) and value in METHODS:
        return value
    raise SweepError("method", value, NAMES, suggestion(value, METHODS))


class Asked(NamedTuple):
    """What a sweep asks of its method: activations, laws, and the network axes that it sets."""

    activations: Iterable[Any]
    laws: Iterable[WeightLaw]
    network_axes: Sequence[str]
    presets: bool = False

    def may_be(self, method: str) -> bool:
        """Whether a method can sample every activation with every weight law, in all networks."""
        if self.network_axes and not all(may_run(law, method) for law in self.laws):
            return False
        pairs = itertools.product(self.activations, self.laws)
        return all(METHODS[method].serves(activation, law) for activation, law in pairs)

    def check(self, method: str) -> None:
        """Raise :class:`SweepError` if a method cannot sample them."""
        if self.may_be(method):
            return
        served = [name for name in METHODS if self.may_be(name)]
        write = f'Write method = "{served[-1]}", or change' if served else "Change"
        needs = f"{method} {METHODS[method].needs}"
        if self.network_axes:
            kinds = "explicit for independent weights that are not sparse, conditional for gaussian ones"
            needs = f"{kinds}, in networks that are not plain with one input ({', '.join(self.network_axes)})"
        law = "preset" if self.presets else "law"
        raise SweepError("method", method, needs, f"{write} activation or {law}")


def work_of(method: str, cell: Cell) -> int:
    """Return how many random normals one network of a cell draws, or could in its time: the measure of work."""
    if cell.network != PLAIN:
        return normals(cell.network, method, cell.depth, cell.width)
    return cell.depth * METHODS[method].normals(cell.width)
