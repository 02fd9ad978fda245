"""Which networks the schedule `streams` runs: those of one input with a stream or norms, sixteen side by side."""

from __future__ import annotations

from functools import lru_cache

from gradsim_core.lanes import LANES
from gradsim_core.operations.standardise import EPSILON
from gradsim_core.schedules.streams import schedule
from gradsim_core.schedules.streams.schedule import Form
from gradsim_core.schedules.table import Schedule

from .network import Network, scale_of

KINDS = ("plain", "residual", "residual2")
NORMS = ("none", "layer", "rms")


def form_of(network: Network, depth: int, width: int) -> Form:
    """The `Form` of a network."""
    skip, two, placement = network.architecture != "plain", network.architecture == "residual2", network.placement
    normalised = network.normalisation != "none"
    return Form(
        skip=skip,
        two=two,
        before=normalised and placement in ("pre", "sandwich"),
        output=normalised and placement in ("sandwich", "output"),
        after=normalised and placement == "post",
        centred=network.normalisation == "layer",
        epsilon=EPSILON,
        alpha=scale_of(network, depth) if skip else 1.0,
        inner=max(round((network.expansion or 1.0) * width), 1),
    )


@lru_cache(maxsize=256)
def schedules_of(network: Network) -> tuple[Schedule, ...]:
    """The schedule that runs a network in place of its tape, if there is one; equal networks give the same."""
    plain = network.architecture == "plain" and network.normalisation == "none"
    if (
        network.inputs > 1
        or network.gated
        or plain
        or network.architecture not in KINDS
        or (network.normalisation not in NORMS)
    ):
        return ()

    def allocate(cell, dtype, law):
        return schedule.allocate(cell, dtype, law, form_of(network, cell.depth, cell.width))

    def memory(law, depth, width):
        return schedule.memory(form_of(network, depth, width), depth, width)

    functions = schedule.applies, schedule.build, allocate, memory
    return (Schedule("streams", "conditional", "cpu", LANES, *functions),)
