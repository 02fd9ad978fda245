"""The mean field of a cell of any kind: its stream and its gain, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gradsim.errors import SweepError
from gradsim.sweep.cells import NETWORK_AXES
from gradsim.theory import NoMeanField, preset_sigmas, stream
from gradsim.theory.architectures.arguments import Options
from gradsim.theory.memory import current, kept
from gradsim_core.activations import Activation
from gradsim_core.architectures import ARCHITECTURES, PLAIN, PRESETS

_ALWAYS = ("normalisation", "placement", "inputs")
_NAN = float("nan")


class MeanField(NamedTuple):
    """What `gradsim.theory.stream` says of a cell, in natural logarithms.

    Attributes
    ----------
    log_q
        ln of the mean square of the stream after the last block; of a plain network, of its last preactivation.
    log_gain
        ln of the gain of block 1.
    reason
        Why both are NaN; otherwise None.
    """

    log_q: float
    log_gain: float
    reason: str | None = None


def axes_of_theory(network: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | str:
    """Return the architecture and the options with which theory knows a network, or the reason why it does not.

    Parameters
    ----------
    network
        All fields of `Network`.
    """
    architecture, batch = str(network["architecture"]), network["normalisation"] == "batch"
    given = network["input_file"] or network["embedding"] != PLAIN.embedding
    if given or network["input_length"] not in ("random", "sphere", "1"):
        return "The mean field is of inputs N(0, I)."
    if network["layers"]:
        return "The mean field is of layers of one width."
    if architecture in ("recurrent", "convolution"):
        # In wide networks one matrix of all steps acts as one of its own for each, and positions as independent inputs.
        if batch:
            return "The mean field of batch norm is of independent inputs."
        architecture = "plain"
    used = {*_ALWAYS, *ARCHITECTURES[architecture].uses} & set(Options._fields)  # heads, for one, are not seen there
    options = {axis: network[axis] for axis in used}
    if batch and float(network["input_correlation"]) > 0.0:
        return "The mean field of batch norm is of independent inputs."
    if network["cost"] != PLAIN.cost and (architecture == "transformer" or batch):
        return "The mean field of batch norm and attention is of independent readouts."
    if architecture == "transformer":
        options["input_correlation"] = float(network["input_correlation"])
    if "branch_scale" in options:
        options["branch_scale"] = _number_or_name(options["branch_scale"])
    return architecture, options


def biases_of_theory(network: Mapping[str, Any], sigma_b: float) -> float:
    """Return sigma_b as theory sees it: inputs of a recurrent network at every step act as biases."""
    return float(np.hypot(sigma_b, network["sigma_u"])) if network["architecture"] == "recurrent" else sigma_b


def mean_field(cell: Mapping[str, Any], activation: str | Activation) -> MeanField:
    """Return the mean field of a cell.

    Parameters
    ----------
    cell
        sigma_w, sigma_b, depth, width and the network axes that are set.
    activation
        A name, or a user's own activation.
    """
    network: dict[str, Any] = PLAIN._asdict() | {axis: cell[axis] for axis in NETWORK_AXES if axis in cell}
    known = axes_of_theory(network)
    if isinstance(known, str):
        return MeanField(_NAN, _NAN, known)
    architecture, options = known
    sigmas = _sigma_w(cell, network), biases_of_theory(network, float(cell["sigma_b"]))
    try:
        one = current(activation)
        return MeanField(*_ends(one, architecture, int(cell["depth"]), sigmas, tuple(sorted(options.items()))))
    except NoMeanField as none:
        return MeanField(_NAN, _NAN, none.reason)
    except SweepError as refused:
        reason = f"No mean field: {refused.field} = {refused.value!r}; it is known for {refused.allowed}."
        return MeanField(_NAN, _NAN, reason)


def _sigma_w(cell: Mapping[str, Any], network: dict[str, Any]) -> float | tuple[Any, ...]:
    """The standard deviation of all matrices, or of each kind as pairs that can be kept."""
    preset = PRESETS.get(network["preset"])
    if preset is None or preset.sigma is None:
        return float(cell["sigma_w"])
    depth, width = int(cell["depth"]), int(cell["width"])
    options = float(network["expansion"]), int(network["taps"])
    found = preset_sigmas(preset.name, network["architecture"], depth, width, *options)
    return tuple((kind, tuple(each) if isinstance(each, list) else each) for kind, each in found.items())


@kept(4096)
def _ends(
    activation: Activation, architecture: str, depth: int, sigmas: tuple[Any, float], options: tuple[Any, ...]
) -> tuple[float, float]:
    sigma_w = dict(sigmas[0]) if isinstance(sigmas[0], tuple) else sigmas[0]
    found = stream(architecture, activation, depth, sigma_w, sigmas[1], **dict(options))
    return float(found.log_q[-1]), float(found.log_gain[0])


def _number_or_name(scale: Any) -> float | str:
    try:
        return float(scale)
    except ValueError:
        return str(scale)
