"""How gradients grow with depth, beside the mean field: for every architecture, also where no sigma_w is a boundary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gradsim.analysis.mean_field import mean_field
from gradsim.analysis.summaries import DECADE, why_unknown
from gradsim.sweep.columns import with_network_axes
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim_core.activations import Activation

AXES = ["activation", "law", "sigma_b", "width", "sigma_w", "depth"]
_ESTIMATES = ["quenched_log_gain", "median_log_gain", "annealed_log_gain"]


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
    return (float("nan"), unknown) if unknown else mean_field(cell, activation)[1:]
