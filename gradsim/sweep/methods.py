"""Which methods can sample the networks of a sweep, and how much work they are."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from gradsim.errors import SweepError
from gradsim.sweep.cells import Cell
from gradsim_core.architectures import METHODS, PLAIN, normals
from gradsim_core.tapes.schedule import may_run

if TYPE_CHECKING:
    from gradsim.sweep.model import Sweep


def may_be(sweep: Sweep, method: str) -> bool:
    """Whether a method can sample every activation with every weight law of a sweep, in all its networks."""
    if sweep.network_axes and not all(may_run(law, method) for law in sweep.laws.values()):
        return False
    pairs = itertools.product(sweep.activations.values(), sweep.laws.values())
    return all(METHODS[method].serves(activation, law) for activation, law in pairs)


def check_method(sweep: Sweep) -> None:
    """Raise :class:`SweepError` if the method of a sweep cannot sample its networks."""
    if may_be(sweep, sweep.method):
        return
    served = [name for name in METHODS if may_be(sweep, name)]
    write = f'Write method = "{served[-1]}", or change' if served else "Change"
    needs = f"{sweep.method} {METHODS[sweep.method].needs}"
    if sweep.network_axes:
        needs = (
            "explicit for weights that are independent and not sparse, conditional for gaussian ones: networks that "
            f"are not plain ones of one input have no other method ({', '.join(sweep.network_axes)} is set)"
        )
    raise SweepError("method", sweep.method, needs, f"{write} activation or law")


def work_of(sweep: Sweep, cell: Cell) -> int:
    """Return how many random normals one network of a cell draws, or could in its time: the measure of work."""
    if cell.network != PLAIN:
        return normals(cell.network, sweep.method, cell.depth, cell.width)
    return cell.depth * METHODS[sweep.method].normals(cell.width)
