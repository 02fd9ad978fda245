"""One row per cell: the quenched, median and annealed gain, how far to trust it, and the phase."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from gradsim import theory
from gradsim.analysis.histograms import BIN_WIDTH, Array, Histograms
from gradsim.errors import SweepError, why_not_finite
from gradsim.sweep.activations import find_activation
from gradsim.theory import many_points
from gradsim.theory.functions import ignoring_floating_point_errors
from gradsim_core.activations import Activation

MARGIN = float(np.log(10.0))
"""A gain within a factor 10 of 1 is critical: half a decade of the gradient's norm."""

MOST_TOP_SHARE = 0.1
"""An annealed number is not trusted if its largest 0.01 % of networks contribute more than this share of the sum.

For a log-normal gain with standard deviation s of its logarithm the largest fraction p contributes Phi(s - z), Phi(z) =
1 - p, and the mean of n networks has relative error sqrt((exp(s^2) - 1) / n). A share of 0.1 means s = 2.4: a relative
error of 0.2 with 8,192 networks, 0.02 with 10^6. At s = 3.5 the share is 0.4 and the error of 8,192 networks would
be 5.
"""

_Z95 = float(ndtri(0.975))


@ignoring_floating_point_errors
def summary(
    cells: pd.DataFrame,
    layers: pd.DataFrame,
    histograms: pd.DataFrame,
    complete: pd.Series | bool = True,
    activations: Mapping[str, Activation] | None = None,
) -> pd.DataFrame:
    """Summarise each cell by the log gain of its layer 1.

    Parameters
    ----------
    cells
        cell_id and every parameter.
    layers
        Rows of :func:`gradsim.analysis.layers_frame`; at least log_gain and log_delta at layer 1, log_q at the last.
    histograms
        Those of log_gain at layer 1 at least.
    complete
        Whether all networks of the cell are committed; a Series is indexed by cell_id.
    activations
        A user's own activations by name, for chi_1.

    Returns
    -------
    pandas.DataFrame
        The columns of ``cells``, then quenched_log_gain and quenched_se (mean of ln over live networks),
        median_log_gain and median_se, annealed_log_gain and annealed_se (ln of the mean, dead as 0), top_share,
        trusted, decades (of the norm), dead_fraction, nonfinite_fraction, phase, chi_1, complete, reason. NaN or None
        where there are no networks yet. If some networks are not finite, the others are a biased sample: trusted is
        False, phase is None, and reason says so; it also says why chi_1 is missing.
    """
    gain = _at_first_layer(cells, layers, "log_gain")
    delta = _at_first_layer(cells, layers, "log_delta")
    histogram = Histograms.of(gain, histograms)
    exponential = histogram.exponential(*_reached(cells, layers))
    mean, se = (gain[name].to_numpy(np.float64, na_value=np.nan) for name in ("mean", "se"))
    median, median_se = _median(histogram, gain["std"].to_numpy(np.float64, na_value=np.nan))
    networks = delta["networks"].replace(0, np.nan).to_numpy(np.float64)
    dead_fraction, nonfinite = delta["dead"].to_numpy() / networks, delta["nonfinite"].to_numpy() / networks
    phase = [None if share > 0 else name for name, share in zip(_phase(mean, se), nonfinite, strict=True)]
    chi_1 = np.asarray(_chi_1(cells, activations or {}), np.float64)
    return cells.reset_index(drop=True).assign(
        quenched_log_gain=mean,
        quenched_se=se,
        median_log_gain=median,
        median_se=median_se,
        annealed_log_gain=exponential.log_mean,
        annealed_se=exponential.se,
        top_share=exponential.top_share,
        trusted=(exponential.top_share <= MOST_TOP_SHARE) & ~(nonfinite > 0),
        decades=mean / (2.0 * MARGIN),
        dead_fraction=dead_fraction,
        nonfinite_fraction=nonfinite,
        phase=pd.Series(phase, dtype=object),
        chi_1=chi_1,
        complete=complete.reindex(cells["cell_id"]).to_numpy(bool) if isinstance(complete, pd.Series) else complete,
        reason=_reasons(cells, nonfinite, np.isnan(chi_1), activations or {}),
    )


def _at_first_layer(cells: pd.DataFrame, layers: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """One row per cell with the sums of ``quantity`` at layer 1; zero counts and NaN where there is none."""
    rows = layers[(layers["layer"] == 1) & (layers["quantity"] == quantity)]
    rows = cells[["cell_id"]].merge(rows, on="cell_id", how="left")
    counts = {name: rows[name].fillna(0).astype(np.int64) for name in ("networks", "dead", "nonfinite")}
    return rows.assign(layer=1, quantity=quantity, **counts)


def _median(histogram: Histograms, std: Array) -> tuple[Array, Array]:
    """Median and its standard error: half the distance of the order statistics one standard deviation away.

    The error of linear interpolation inside a bin of width w, for a normal law at most w^3 / 16 std^2 and at most
    w / 4, is added as two standard errors. It matters at great widths, where the distribution is as narrow as a bin.
    """
    networks = (histogram.live + histogram.dead).astype(np.float64)
    away = 0.5 / np.sqrt(networks)
    probabilities = np.clip(np.stack([0.5 - away, 0.5 + 0 * away, 0.5 + away], -1), 0.0, 1.0)
    low, median, high = histogram.quantiles(np.nan_to_num(probabilities, nan=0.5)).T
    missed = np.where(std > 0.0, np.minimum(BIN_WIDTH / 4, BIN_WIDTH**3 / (16 * std**2)), 0.0)
    known = np.isfinite(low) & np.isfinite(high)
    return median, np.where(known, 0.5 * np.hypot(np.where(known, high - low, 0.0), missed), np.nan)


def _reached(cells: pd.DataFrame, layers: pd.DataFrame) -> tuple[Array, Array]:
    """The share of the finite networks of each cell whose signal reached h^L, and the number of finite networks.

    The gain of a network whose signal died on the way forward is 0. One in which only phi'(h^L) is 0 has no gain, but
    like the others it would have had one: so relu's mean gain is (sigma_w^2 / 2)^(L-1) at every width.
    """
    last = layers.merge(cells[["cell_id", "depth"]], left_on=["cell_id", "layer"], right_on=["cell_id", "depth"])
    last = last[last["quantity"] == "log_q"].set_index("cell_id").reindex(cells["cell_id"])
    finite = (last["networks"] - last["nonfinite"]).to_numpy(np.float64, na_value=np.nan)
    return 1.0 - last["dead"].to_numpy(np.float64, na_value=np.nan) / finite, finite


def _phase(mean: Array, se: Array) -> list[str | None]:
    """Phase of each cell; None if the 95 % interval allows two phases."""
    low, high = mean - _Z95 * se, mean + _Z95 * se
    conditions = [high < -MARGIN, low > MARGIN, (low >= -MARGIN) & (high <= MARGIN)]
    names = np.select(conditions, ["vanishing", "exploding", "critical"], default="")
    return [name or None for name in names.tolist()]


def _chi_1(cells: pd.DataFrame, activations: Mapping[str, Activation]) -> Array:
    """chi_1 of each cell; NaN for a user's own activation whose functions are unknown."""
    points = cells[["activation", "sigma_w", "sigma_b"]].drop_duplicates().reset_index(drop=True)
    chi = np.full(len(points), np.nan)
    for name, place in points.groupby("activation", sort=False).indices.items():
        with suppress(ValueError):
            chi[place] = many_points.chi_1(
                activations.get(str(name), str(name)),
                points["sigma_w"].to_numpy(np.float64)[place],
                points["sigma_b"].to_numpy(np.float64)[place],
            )
    found = cells[["activation", "sigma_w", "sigma_b"]].merge(points.assign(chi_1=chi), how="left")
    return found["chi_1"].to_numpy(np.float64)


def _reasons(
    cells: pd.DataFrame, nonfinite: Array, missing: NDArray[np.bool_], activations: Mapping[str, Activation]
) -> pd.Series:
    """The sentence of each cell about networks that are not finite, or else about a chi_1 that is ``missing``."""
    no_theory = {}
    for name, cell in cells[missing].groupby("activation").head(1).set_index("activation").iterrows():
        activation = activations.get(str(name), str(name))
        try:
            theory.chi_1(activation, float(cell["sigma_w"]), float(cell["sigma_b"]))
        except SweepError as refused:
            no_theory[name] = why_unknown(activation) or str(refused)
    reasons = [
        why_not_finite(name, share) or (no_theory.get(name) if without else None)
        for name, share, without in zip(cells["activation"], nonfinite, missing, strict=True)
    ]
    return pd.Series(reasons, dtype=object)


def why_unknown(activation: str | Activation) -> str | None:
    """The sentence about a user's own activation of which only the name is known; None for any other."""
    try:
        find_activation(activation)
    except SweepError:
        return f"The functions of {activation} are not stored; the run that gs.run returns has them."
    return None
