"""One row per cell: the quenched, median and annealed gain, how far to trust it, and the phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from gradsim import theory
from gradsim.activations import find_activation
from gradsim.analysis import intervals
from gradsim.analysis.annealed import MOST_TOP_SHARE, fewest_networks
from gradsim.analysis.histograms import Array, Histograms, columns_of
from gradsim.analysis.kinds import find_kind
from gradsim.errors import SweepError, why_not_finite
from gradsim.sweep.columns import are_plain
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.infinite_width import many_points
from gradsim_core.activations import Activation

MARGIN = float(np.log(10.0))
"""A gain within a factor 10 of 1 is critical: half a decade of the gradient's norm."""

DECADE = float(np.log(100.0))
"""ln gain of a gradient whose norm differs by a decade."""

_Z95 = float(ndtri(0.975))


@ignoring_floating_point_errors
def summary(
    cells: pd.DataFrame,
    layers: pd.DataFrame,
    histograms: pd.DataFrame,
    complete: pd.Series | bool = True,
    activations: Mapping[str, Activation] | None = None,
    kinds: Sequence[str] = (),
    level: float = 0.95,
) -> pd.DataFrame:
    """Summarise each cell by the log gain of its layer 1.

    Parameters
    ----------
    cells
        cell_id and every parameter.
    layers
        Merged sums; at least log_gain and log_delta at layer 1, log_q at the last.
    histograms
        Those of log_gain at layer 1 at least.
    complete
        Whether all networks of the cell are committed; a Series is indexed by cell_id.
    activations
        A user's own activations by name, for chi_1.
    kinds
        Further moments, such as "moment(0.5)": see :func:`gradsim.analysis.boundary`.
    level
        Probability that an interval covers what it estimates.

    Returns
    -------
    pandas.DataFrame
        The columns of ``cells``, then of the log gain: quenched_log_gain and quenched_se (mean of ln over live
        networks), median_log_gain and median_se, annealed_log_gain and annealed_se (ln of the mean, dead as 0),
        top_share, trusted, decades (of the norm), std, q05, q95, live_share (share of all networks that are live and
        whose gradient norm is within a decade), two_humps (whether the law clearly has two), live_networks;
        dead_fraction, nonfinite_fraction, phase, chi_1, complete, reason. An interval ``<name>_low``, ``<name>_high``
        of every estimate; none of an annealed one that is not trusted. NaN or None where there are no networks yet. If
        some networks are not finite, the others are a biased sample: trusted is False, phase is None, and reason says
        so; it also says why chi_1 is missing.
    """
    gain, delta = (_at_first_layer(cells, layers, quantity) for quantity in ("log_gain", "log_delta"))
    bins = Histograms.of(gain, histograms)
    reached = _reached(cells, layers)
    annealed = bins.exponential(*reached)
    mean, std, se = (gain[name].to_numpy(np.float64, na_value=np.nan) for name in ("mean", "std", "se"))
    networks = delta["networks"].replace(0, np.nan).to_numpy(np.float64)
    dead, nonfinite = (delta[name].to_numpy(np.float64) for name in ("dead", "nonfinite"))
    phase = [None if share > 0 else name for name, share in zip(_phase(mean, se), nonfinite, strict=True)]
    enough = reached[1] >= fewest_networks(cells, std, own=activations or ())
    trusted = enough & (annealed.top_share <= MOST_TOP_SHARE) & ~(nonfinite > 0)
    plain = are_plain(cells)
    chi_1 = np.where(plain, _chi_1(cells, activations or {}), np.nan)
    estimates = _estimates(bins, (mean, std, se), (dead, nonfinite, networks), level)
    estimates["annealed_log_gain"] = annealed.log_mean, *_around(annealed.log_mean, annealed.se, trusted, level)
    columns = columns_of(estimates)
    for kind in kinds:
        found = bins.exponential(*reached, power=find_kind(kind).power)
        columns |= {f"{kind}_log_gain": found.log_mean, f"{kind}_se": found.se}
    reach = (columns["median_log_gain_high"] - columns["median_log_gain_low"]) / (2.0 * ndtri(0.5 + level / 2))
    return cells.reset_index(drop=True).assign(
        **columns,
        quenched_se=se,
        median_se=np.where(np.isfinite(reach), reach, np.nan),
        annealed_se=annealed.se,
        top_share=annealed.top_share,
        trusted=trusted,
        decades=mean / (2.0 * MARGIN),
        live_networks=bins.live,
        two_humps=bins.humps(),
        phase=pd.Series(phase, dtype=object),
        chi_1=chi_1,
        complete=complete.reindex(cells["cell_id"]).to_numpy(bool) if isinstance(complete, pd.Series) else complete,
        reason=_reasons(cells, nonfinite / networks, plain & np.isnan(chi_1), activations or {}),
    )


def median_decades(summary: pd.DataFrame) -> pd.Series:
    """Return by how many decades the norm of the gradient grows in the median live network of each cell."""
    return summary["median_log_gain"] / (2.0 * MARGIN)


def _estimates(
    bins: Histograms, moments: tuple[Array, Array, Array], counts: tuple[Array, Array, Array], level: float
) -> dict[str, tuple[Array, Array, Array]]:
    """Each estimate with its interval."""
    (mean, std, se), (dead, nonfinite, networks) = moments, counts
    live = bins.live.astype(np.float64)
    near = bins.within(-DECADE, DECADE)
    return {
        "quenched_log_gain": (mean, *intervals.of_mean(mean, se, live, level)),
        "std": (std, *intervals.of_std(std, bins.kurtosis(), live, level)),
        "q05": bins.quantile_with_interval(0.05, std, level),
        "median_log_gain": bins.quantile_with_interval(0.5, std, level),
        "q95": bins.quantile_with_interval(0.95, std, level),
        "live_share": (near / networks, *intervals.of_proportion(near, networks, level)),
        "dead_fraction": (dead / networks, *intervals.of_proportion(dead, networks, level)),
        "nonfinite_fraction": (nonfinite / networks, *intervals.of_proportion(nonfinite, networks, level)),
    }


def _around(value: Array, se: Array, known: NDArray[np.bool_], level: float) -> tuple[Array, Array]:
    reach = np.where(known, ndtri(0.5 + level / 2) * se, np.nan)
    return value - reach, value + reach


def _at_first_layer(cells: pd.DataFrame, layers: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """One row per cell with the sums of ``quantity`` at layer 1; zero counts and NaN where there is none."""
    rows = layers[(layers["layer"] == 1) & (layers["quantity"] == quantity)]
    rows = cells[["cell_id"]].merge(rows, on="cell_id", how="left")
    counts = {name: rows[name].fillna(0).astype(np.int64) for name in ("networks", "dead", "nonfinite")}
    return rows.assign(layer=1, quantity=quantity, **counts)


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
