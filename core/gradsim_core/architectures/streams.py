"""Which networks the schedules `streams` and `radial_streams` run, sixteen side by side.

The first runs those of one input with a stream or norms; the second those in which nothing but the stream singles out a
direction.
"""

from __future__ import annotations

from functools import lru_cache

from gradsim_core.lanes import LANES
from gradsim_core.operations.across import NARROW
from gradsim_core.operations.standardise import EPSILON
from gradsim_core.parameters import Params
from gradsim_core.schedules.radial_streams import schedule as radial
from gradsim_core.schedules.streams import schedule
from gradsim_core.schedules.streams.schedule import Form
from gradsim_core.schedules.table import Schedule

from .network import PLAIN, Network, inner_of, scale_of, sigma_of
from .presets import DOWN, HIDDEN, PRESETS, UP

KINDS = ("plain", "residual", "residual2")
NORMS = ("none", "layer", "rms")
RADIAL_NORMALS = 48
"""So many random normals of the conditional method take as long as a block of the radial one."""
_NOT_RADIAL = {
    "several inputs are known by more than their lengths": lambda network: network.inputs > 1,
    "any other cost acts on each output": lambda network: network.cost != "readout",
    "of norms only rms singles out no direction": lambda network: network.normalisation not in ("none", "rms"),
    "a gate multiplies each neuron by another one": lambda network: network.gated,
    "layers have one width": lambda network: network.layers != "",
    "inputs are N(0, I)": lambda network: network.input_length != PLAIN.input_length or network.input_file != "",
    "phi acts on the stream itself, along its axes": lambda network: network.architecture == "residual",
    "other networks with a stream or norms have no radial schedule": lambda network: (
        network.architecture != "residual2"
    ),
    "all blocks have one sigma": lambda network: _by_block(network),
}
"""Why the radial method does not sample a network that is not plain; the first reason that applies."""


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
        narrow=not skip and width <= NARROW,
    )


def _by_block(network: Network) -> bool:
    """Whether sigma differs from block to block."""
    return network.preset in PRESETS and PRESETS[network.preset].by_block


def _may_run(network: Network) -> bool:
    """Whether it is of one input, of a kind that the schedule knows, and not plain throughout."""
    if network.cost != "readout" or network.inputs > 1 or network.gated or _by_block(network):
        return False
    if network.layers or network.input_length != PLAIN.input_length or network.input_file:
        return False
    known = network.architecture in KINDS and network.normalisation in NORMS
    return known and (network.architecture, network.normalisation) != ("plain", "none")


def why_not_radial(network: Network) -> str | None:
    """Why the radial method does not sample a network; None if it does, or if the network is plain throughout."""
    if network._replace(preset=PLAIN.preset) == PLAIN:
        return None
    return next((reason for reason, broken in _NOT_RADIAL.items() if broken(network)), None)


def _sigmas_of(network: Network, form: Form, cell: Params) -> list[float]:
    """Sigma of the last matrix of a block, and of the first."""
    kinds = (DOWN, UP) if form.two else (HIDDEN, HIDDEN)
    sigmas = (sigma_of(network, kind, cell.depth, cell.width) for kind in kinds)
    return [cell.sigma_w if each is None else each for each in sigmas]


def _radial_schedule(network: Network) -> Schedule:
    """The schedule `radial_streams` of a network."""

    def allocate(cell, dtype, law):
        form = form_of(network, cell.depth, cell.width)
        return radial.allocate(cell, dtype, law, form, _sigmas_of(network, form, cell))

    def memory(law, depth, width):
        return radial.memory(depth)

    return Schedule("radial_streams", "radial", "cpu", LANES, radial.applies, radial.build, allocate, memory, None, 2)


@lru_cache(maxsize=256)
def schedules_of(network: Network) -> tuple[Schedule, ...]:
    """The schedules that run a network in place of its tape; equal networks give the same."""
    if not _may_run(network):
        return ()

    def allocate(cell, dtype, law):
        form = form_of(network, cell.depth, cell.width)
        return schedule.allocate(cell, dtype, law, form, _sigmas_of(network, form, cell))

    def memory(law, depth, width):
        return schedule.memory(form_of(network, depth, width), depth, width)

    functions = schedule.applies, schedule.build, allocate, memory
    lazy = Schedule("streams", "conditional", "cpu", LANES, *functions)
    return (lazy,) if why_not_radial(network) else (lazy, _radial_schedule(network))
