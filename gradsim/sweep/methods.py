"""Which methods can sample the networks of a sweep, and how much work they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from gradsim.errors import SweepError, suggestion
from gradsim.sweep.cells import Cell
from gradsim_core.architectures import METHODS, PLAIN, Network, is_radial, normals, why_not_radial
from gradsim_core.laws import WeightLaw
from gradsim_core.tapes.schedule import may_run

_KINDS = "explicit for independent weights that are not sparse, conditional for gaussian ones"
_RADIAL = (
    "radial, where networks are not plain, for residual2 with gaussian weights, one input, no gate, rms norms or none"
)
NAMES = f"one of {', '.join(METHODS)}"
"""The methods, in words."""


def known_method(value: object) -> object:
    """Return the name of a method; raises :class:`SweepError` for any other value."""
    if isinstance(value, str) and value in METHODS:
        return value
    raise SweepError("method", value, NAMES, suggestion(value, METHODS))


class Asked(NamedTuple):
    """What a sweep asks of its method: activations, laws, the network axes that it sets, and the kinds of networks."""

    activations: Iterable[Any]
    laws: Iterable[WeightLaw]
    network_axes: Sequence[str]
    presets: bool = False
    networks: Sequence[Network] = (PLAIN,)

    def may_be(self, method: str) -> bool:
        """Whether a method can sample every activation with every weight law, in all networks."""
        if self.network_axes and not all(self._runs(law, method) for law in self.laws):
            return False
        pairs = itertools.product(self.activations, self.laws)
        return all(METHODS[method].serves(activation, law) for activation, law in pairs)

    def _runs(self, law: WeightLaw, method: str) -> bool:
        """Whether a method can sample networks that are not plain, with a weight law."""
        if method == "radial":
            return all(is_radial(network, law) for network in self.networks)
        return may_run(law, method)

    def _allowed(self, method: str) -> str:
        """What a method can sample where it cannot sample this, with the reason."""
        if not self.network_axes or all(self._runs(law, method) for law in self.laws):
            return f"{method} {METHODS[method].needs}"
        if method == "radial":
            reasons = filter(None, map(why_not_radial, self.networks))
            return ": ".join([_RADIAL, *itertools.islice(reasons, 1)])
        return f"{_KINDS}, {self._others()}"

    def _others(self) -> str:
        """Which networks have fewer methods and laws."""
        return f"in networks that are not plain with one input ({', '.join(self.network_axes)})"

    def check(self, method: str) -> None:
        """Raise :class:`SweepError` if a method cannot sample them."""
        if self.may_be(method):
            return
        law, usual = ("preset", "he_normal") if self.presets else ("law", "gaussian")
        for each in self.laws if self.network_axes else ():
            if not any(self._runs(each, name) for name in METHODS):
                allowed = f"independent weights that are not sparse, {self._others()}"
                raise SweepError(law, each.name, allowed, f'Write for example {law} = "{usual}"')
        served = [name for name in METHODS if self.may_be(name)]
        write = f'Write method = "{served[-1]}", or change' if served else "Change"
        raise SweepError("method", method, self._allowed(method), f"{write} activation or {law}")


def work_of(method: str, cell: Cell) -> int:
    """Return how many random normals one network of a cell draws, or could in its time: the measure of work."""
    if cell.network != PLAIN:
        return normals(cell.network, method, cell.depth, cell.width)
    return cell.depth * METHODS[method].normals(cell.width)
