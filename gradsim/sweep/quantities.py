"""Quantities that a sweep of networks with several inputs records beside those of every sweep."""

from __future__ import annotations

from collections.abc import Iterable

from gradsim.errors import SweepError, suggestion
from gradsim.sweep.axes import refuse_repeats
from gradsim.sweep.cells import Cell
from gradsim_core.architectures import is_separable
from gradsim_core.results.of_inputs import OF_INPUTS
from gradsim_core.results.quantities import QUANTITIES

_REMEDY = 'Write for example quantities = ["log_decorrelation"]'


def known_quantities(value: object) -> tuple[str, ...]:
    """Return names of `OF_INPUTS` in the order of that table; ``"all"`` stands for the whole of it."""
    names: list[object] = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else [value]
    names = list(OF_INPUTS) if names == ["all"] else names
    for name in names:
        if isinstance(name, str) and name in QUANTITIES:
            raise SweepError("quantities", name, "left out: every sweep records it", _REMEDY)
        if not isinstance(name, str) or name not in OF_INPUTS:
            allowed = f"some of {', '.join(OF_INPUTS)}"
            raise SweepError("quantities", name, allowed, suggestion(name, OF_INPUTS) or _REMEDY)
    refuse_repeats("quantities", names)
    return tuple(name for name in OF_INPUTS if name in names)


def check_quantities(names: tuple[str, ...], cells: Iterable[Cell]) -> None:
    """Refuse with :class:`SweepError` what networks of a sweep have not got."""
    rows = [OF_INPUTS[name] for name in names]
    for network in {cell.network for cell in cells} if rows else ():
        if network.inputs < 2:
            raise SweepError("quantities", rows[0].name, "left out where networks have one input", "Add inputs = 8")
        alone, others = is_separable(network), [row.name for row in OF_INPUTS.values() if not row.separable]
        for row in rows:
            if row.separable and not alone:
                allowed = (
                    f"some of {', '.join(others)}: inputs of a network with {_meeting(network.normalisation)} have no "
                    "weight gradients of their own"
                )
                raise SweepError("quantities", row.name, allowed, f"Leave out {row.name}")
            if row.readout and network.cost not in ("readout", "shared"):
                allowed = f"left out with cost {network.cost!r}: the NTK is made of derivatives of one output"
                raise SweepError("quantities", row.name, allowed, 'Write cost = "shared"')


def _meeting(normalisation: str) -> str:
    return "batch norm" if normalisation == "batch" else "attention, windows or tied matrices"
