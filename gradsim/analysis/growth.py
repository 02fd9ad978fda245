"""How gradients grow with depth, beside the mean field: for every architecture, also where no sigma_w is a boundary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gradsim.analysis.summaries import DECADE, why_unknown
from gradsim.errors import SweepError
from gradsim.sweep.cells import NETWORK_AXES
from gradsim.sweep.columns import with_network_axes
from gradsim.theory import NoMeanField, preset_sigmas, stream
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.memory import current, kept
from gradsim_core.activations import Activation
from gradsim_core.architectures import ARCHITECTURES, PLAIN, PRESETS

AXES = ["activation", "law", "sigma_b", "width", "sigma_w", "depth"]
_ESTIMATES = ["quenched_log_gain", "median_log_gain", "annealed_log_gain"]
_ALWAYS = ("normalisation", "placement", "inputs")


@ignoring_floating_point_errors
def growth(summary: pd.DataFrame, activations: Mapping[str, Activation] | None = None) -> pd.DataFrame:
    """Return the gain of each cell beside its mean field.

    Parameters
    ----------
    summary
        Rows of :func:`gradsim.analysis.summary`.
    activations
        A user's own activations by name.

    Returns
    -------
    pandas.DataFrame
        A row per cell: the network axes that are set, activation, law, sigma_b, width, sigma_w, depth;
        quenched_log_gain, median_log_gain, annealed_log_gain with their intervals; decades, of the median norm;
        theory: ln of the gain at infinite width (`gradsim.theory.stream`), theory_decades, of the norm; theory_reason,
        why there is none.
    """
    axes = with_network_axes(AXES, summary)
    names = [name for each in _ESTIMATES for name in (each, f"{each}_low", f"{each}_high")]
    known: dict[tuple[Any, ...], tuple[float, str | None]] = {}
    found = []
    for _, cell in summary[axes].iterrows():
        key = tuple(cell.drop("law" if "preset" in axes else ["width", "law"]))  # some presets depend on the width
        if key not in known:
            named: dict[str, Any] = dict(zip(axes, cell, strict=True))
            known[key] = _theory(named, (activations or {}).get(cell["activation"], cell["activation"]))
        found.append(known[key])
    theory, reasons = ([each[k] for each in found] for k in (0, 1))
    frame = summary[["cell_id", *axes, *names]].reset_index(drop=True)
    return frame.assign(
        decades=frame["median_log_gain"] / DECADE,
        theory=np.array(theory, np.float64),
        theory_decades=np.array(theory, np.float64) / DECADE,
        theory_reason=pd.Series(reasons, dtype=object),
    )


def _theory(cell: dict[str, Any], activation: str | Activation) -> tuple[float, str | None]:
    """ln of the gain of block 1 in mean field, or NaN and why there is none."""
    unknown = why_unknown(activation)
    if unknown:
        return float("nan"), unknown
    values: dict[str, Any] = PLAIN._asdict() | {axis: cell[axis] for axis in NETWORK_AXES if axis in cell}
    architecture = str(values["architecture"])
    sigma_b = float(cell["sigma_b"])
    if architecture in ("recurrent", "convolution"):
        # In wide networks one matrix of all steps acts as one of its own for each, and positions as independent inputs.
        if values["normalisation"] == "batch":
            return float("nan"), "The mean field of batch norm is of independent inputs."
        architecture, sigma_b = "plain", float(np.hypot(sigma_b, values["sigma_u"]))
    if values["embedding"] != PLAIN.embedding:
        return float("nan"), "The mean field is of normal inputs, not of rows of an embedding."
    unseen = {"heads", "expansion", "embedding"}  # by the mean field
    used = {*_ALWAYS, *ARCHITECTURES[architecture].uses} - unseen
    options = {axis: values[axis] for axis in used}
    if options["normalisation"] == "batch" and float(values["input_correlation"]) > 0.0:
        return float("nan"), "The mean field of batch norm is of independent inputs."
    if values["cost"] != PLAIN.cost and (architecture == "transformer" or options["normalisation"] == "batch"):
        return float("nan"), "The mean field of batch norm and attention is of independent readouts."
    if architecture == "transformer":
        options["input_correlation"] = float(values["input_correlation"])
    if "branch_scale" in options:
        options["branch_scale"] = _number_or_name(options["branch_scale"])
    sigma_w = _sigma_w(cell, values)
    try:
        one = current(activation)
        sigmas = sigma_w, sigma_b
        return _log_gain(one, architecture, int(cell["depth"]), sigmas, tuple(sorted(options.items()))), None
    except NoMeanField as none:
        return float("nan"), none.reason
    except SweepError as refused:
        return float("nan"), f"No mean field: {refused.field} = {refused.value!r}; it is known for {refused.allowed}."


def _sigma_w(cell: dict[str, Any], network: dict[str, Any]) -> float | tuple[Any, ...]:
    """The standard deviation of all matrices, or of each kind as pairs that can be kept."""
    preset = PRESETS.get(network["preset"])
    if preset is None or preset.sigma is None:
        return float(cell["sigma_w"])
    depth, width = int(cell["depth"]), int(cell["width"])
    options = float(network["expansion"]), int(network["taps"])
    found = preset_sigmas(preset.name, network["architecture"], depth, width, *options)
    return tuple((kind, tuple(each) if isinstance(each, list) else each) for kind, each in found.items())


@kept(4096)
def _log_gain(
    activation: Activation, architecture: str, depth: int, sigmas: tuple[Any, float], options: tuple[Any, ...]
) -> float:
    sigma_w = dict(sigmas[0]) if isinstance(sigmas[0], tuple) else sigmas[0]
    return float(stream(architecture, activation, depth, sigma_w, sigmas[1], **dict(options)).log_gain[0])


def _number_or_name(scale: Any) -> float | str:
    try:
        return float(scale)
    except ValueError:
        return str(scale)
