"""Combinations of network axes that make no sense, which a sweep refuses at once with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from gradsim.errors import SweepError
from gradsim.sweep.cells import Cell
from gradsim.sweep.networks import NOT_OF_TOKENS, NetworkAxes, axes_used
from gradsim_core.architectures import ARCHITECTURES, PRESETS, Network


def _architectures_of(preset: str) -> Iterable[str]:
    """Architectures in which a preset has a meaning."""
    return (PRESETS[preset].architectures if preset in PRESETS else ()) or ARCHITECTURES


class Rule(NamedTuple):
    """A combination that makes no sense: the axis to be changed, whether a cell is one, what is allowed, and how."""

    axis: str
    broken: Callable[[Network, Cell], bool]
    allowed: str
    remedy: str


RULES = (
    Rule(
        "placement",
        lambda network, cell: network.placement not in ARCHITECTURES[network.architecture].placements,
        "pre (before the activation) or post (after it) in a network without branches: plain, recurrent, convolution",
        'Write placement = "pre"',
    ),
    Rule(
        "heads",
        lambda network, cell: cell.width % network.heads != 0,
        "a divisor of the width, so that every head has the same number of neurons",
        "Change heads or width",
    ),
    Rule(
        "normalisation",
        lambda network, cell: network.normalisation == "batch" and network.architecture == "transformer",
        "layer, rms or dyt in a transformer: its inputs are the tokens of one sequence, not examples of a batch",
        'Write normalisation = "layer"',
    ),
    Rule(
        "inputs",
        lambda network, cell: network.normalisation == "batch" and network.inputs < 3,
        "3 or more with batch norm: with 2 every neuron becomes 1 and -1, and no gradient passes",
        "Write inputs = 32",
    ),
    Rule(
        "cost",
        lambda network, cell: (
            (network.normalisation, network.cost) == ("batch", "shared")
            and (network.placement == "post" or network.architecture in ("residual", "residual2"))
        ),
        "another one than shared where batch norm comes last: it takes away an error that all inputs share, so that no "
        "gradient passes",
        'Write cost = "readout"',
    ),
    Rule(
        "input_correlation",
        lambda network, cell: network.normalisation == "batch" and network.input_correlation == 1.0,
        "less than 1 with batch norm: equal inputs have no variance",
        "Write input_correlation = 0.9",
    ),
    Rule(
        "input_correlation",
        lambda network, cell: network.sigma_u > 0.0 and network.input_correlation > 0.0,
        "0 where a recurrent network has inputs at every step, which are independent",
        "Leave out input_correlation, or sigma_u",
    ),
    Rule(
        "embedding",
        lambda network, cell: network.embedding == "tied" and network.cost != "softmax",
        "untied, unless the cost is that of the softmax of the logits of all tokens",
        'Write cost = "softmax"',
    ),
    Rule(
        "input_correlation",
        lambda network, cell: network.input_file != "" and network.input_correlation > 0.0,
        "0 where inputs come from a file",
        "Leave out input_correlation",
    ),
    Rule(
        "input_length",
        lambda network, cell: (
            network.input_length == "q_star" and (network.architecture, network.normalisation) != ("plain", "none")
        ),
        "random, sphere or a number in networks with branches, time steps or norms, which have no q_star",
        'Write input_length = "sphere"',
    ),
    Rule(
        "input_length",
        lambda network, cell: network.differences and network.input_length != "random",
        "random where inputs are carried as differences",
        "Leave out input_length",
    ),
    Rule(
        "differences",
        lambda network, cell: network.differences and (network.normalisation not in ("none", "dyt") or network.gated),
        "false with a norm or a gate: differences pass through matrices, branches and activations without cancellation",
        "Leave out differences, or the norm",
    ),
    Rule(
        "expansion",
        lambda network, cell: 0.0 < network.expansion * cell.width < 0.5,
        "at least one neuron between the two matrices of a branch",
        "Write expansion = 1.0",
    ),
    Rule(
        "preset",
        lambda network, cell: network.architecture not in _architectures_of(network.preset),
        "a preset that has a meaning in every architecture of the sweep: gpt2, llama and deepnorm in residual2 and "
        "transformer, depth_scaled there and in residual, critical and orthogonal in plain networks",
        "Take another preset, or make two sweeps",
    ),
)


def check_networks(axes: NetworkAxes, cells: list[Cell]) -> None:
    """Raise :class:`SweepError` for an axis that no architecture uses, or a combination that makes no sense."""
    if not axes.network_axes:
        return
    for axis in axes.network_axes:
        if all(getattr(cell, axis) == default for cell in cells for default in [getattr(Network(), axis)]):
            value = getattr(axes, axis)
            raise SweepError(axis, value[0] if len(value) == 1 else value, *_unused(axis, axes))
    first: dict[tuple[Any, ...], Cell] = {}
    for cell in cells:
        for rule in RULES:
            if rule.broken(cell.network, cell):
                raise SweepError(rule.axis, getattr(cell, rule.axis), rule.allowed, rule.remedy)
        if first.setdefault(cell[1:], cell) is not cell:
            raise SweepError(*_repeated(axes, cell))


def _unused(axis: str, axes: NetworkAxes) -> tuple[str, str]:
    """What is allowed where no architecture of the sweep uses an axis, and the remedy."""
    users = [row.name for row in ARCHITECTURES.values() if axis in row.uses]
    if axis == "placement":
        return "left out where there is no norm", 'Add normalisation = "layer", or leave it out'
    if axis in ("outputs", *NOT_OF_TOKENS) and axes.embedding != ("none",):
        return "left out where inputs are tokens", f"Leave out {axis}, or embedding"
    if axis == "outputs":
        return "left out where nothing but a readout follows", 'Add cost = "softmax", or leave it out'
    if axis == "input_correlation" or (axis == "differences" and max(axes.inputs) == 1):
        return "left out where there is one input", "Add inputs = 2, or leave it out"
    if axis in ("vocabulary", "sigma_embedding"):
        return "left out where inputs are no tokens", 'Add architecture = "transformer" and embedding = "tied"'
    return f"left out, unless the architecture is {' or '.join(users)}", f'Add architecture = "{users[-1]}"'


def _repeated(axes: NetworkAxes, cell: Cell) -> tuple[str, Any, str, str]:
    """The fault of a sweep that has a cell twice, since an architecture does not use an axis of several values."""
    several = [axis for axis in axes.network_axes if len(getattr(axes, axis)) > 1]
    axis = next(each for each in several if each not in axes_used(cell.network))
    kind = f"{cell.architecture}, normalisation {cell.normalisation}, cost {cell.cost}"
    allowed = f"one value where networks do not use it ({kind})"
    return axis, getattr(axes, axis), allowed, "Make two sweeps"
