"""Which networks the schedule `streams` runs: those of one input with a stream or norms, sixteen side by side."""

from __future__ import annotations

from functools import lru_cache

from gradsim_core.lanes import LANES
from gradsim_core.operations.standardise import EPSILON
from gradsim_core.schedules.streams import schedule
from gradsim_core.schedules.streams.schedule import Form
from gradsim_core.schedules.table import Schedule

from .network import Network, inner_of, scale_of, sigma_of
from .presets import DOWN, HIDDEN, PRESETS, UP

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
        inner=inner_of(network, width),
    )


def _may_run(network: Network) -> bool:
    """Whether it is of one input, of a kind that the schedule knows, and not plain throughout."""
    if (
        network.cost != "readout"
        or network.inputs > 1
        or network.gated
        or network.layers
        or (network.preset in PRESETS and PRESETS[network.preset].by_block)
    ):
        return False
    known = network.architecture in KINDS and network.normalisation in NORMS
    return known and (network.architecture, network.normalisation) != ("plain", "none")


@lru_cache(maxsize=256)
def schedules_of(network: Network) -> tuple[Schedule, ...]:
    """The schedule that runs a network in place of its tape, if there is one; equal networks give the same."""
    if not _may_run(network):
        return ()

    def allocate(cell, dtype, law):
        form = form_of(network, cell.depth, cell.width)
        kinds = (DOWN, UP) if form.two else (HIDDEN, HIDDEN)
        sigmas = (sigma_of(network, kind, cell.depth, cell.width) for kind in kinds)
        return schedule.allocate(cell, dtype, law, form, [cell.sigma_w if each is None else each for each in sigmas])

    def memory(law, depth, width):
        return schedule.memory(form_of(network, depth, width), depth, width)

    functions = schedule.applies, schedule.build, allocate, memory
    return (Schedule("streams", "conditional", "cpu", LANES, *functions),)
