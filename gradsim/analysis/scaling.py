"""How results scale: the slope of ln |delta| per layer, the spread with depth over width, boundaries with 1/width."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from gradsim.analysis import intervals
from gradsim.analysis.histograms import Histograms
from gradsim.sweep.columns import with_network_axes
from gradsim.theory.averages.functions import ignoring_floating_point_errors
from gradsim.theory.errors import check_probability

Array = NDArray[np.float64]

_GROUP = ["activation", "law", "sigma_b", "depth", "kind"]
_POINT = ["activation", "law", "sigma_b", "sigma_w"]
_AXES = ["activation", "law", "sigma_b", "width", "depth", "sigma_w"]
_FEWEST = 3  # widths


@ignoring_floating_point_errors
def slopes(
    cells: pd.DataFrame, gains: pd.DataFrame, histograms: pd.DataFrame, layer: int = 1, level: float = 0.95
) -> pd.DataFrame:
    """Return the slope of ln |delta| per layer, from the last layer back to ``layer``.

    A network's slope is half its log gain over the number of steps, and networks are independent: so the error holds
    although the layers of one network are correlated. A layer > 1 leaves out those in which q still relaxes.

    Parameters
    ----------
    cells
        cell_id and every parameter.
    gains
        Merged sums of log_gain at ``layer``.
    histograms
        Those of log_gain at ``layer``.
    layer
        From 1 to depth - 1; deeper cells only.
    level
        Probability that an interval covers the slope.

    Returns
    -------
    pandas.DataFrame
        A row per cell with more layers: the columns of ``cells``; slope, slope_se, slope_low, slope_high: the mean over
        live networks; annealed_slope and annealed_slope_se: half of ln of the mean gain per step over live networks,
        which tends to ln(chi_1) / 2 for wide networks.
    """
    rows = cells[cells["depth"] > layer].merge(gains, on="cell_id", how="left", suffixes=("", "_counted"))
    rows = rows.assign(layer=layer, quantity="log_gain")
    counts = {name: rows[name].fillna(0).astype(np.int64) for name in ("dead", "nonfinite")}
    bins = Histograms.of(rows.assign(**counts), histograms)
    everyone = np.ones(len(rows)), np.maximum(bins.live, 1).astype(np.float64)
    annealed = bins.exponential(*everyone)
    steps = 2.0 * (rows["depth"].to_numpy(np.float64) - layer)
    mean, se = (rows[name].to_numpy(np.float64, na_value=np.nan) / steps for name in ("mean", "se"))
    low, high = intervals.of_mean(mean, se, bins.live.astype(np.float64), check_probability("level", level))
    return rows[cells.columns].assign(
        slope=mean, slope_se=se, slope_low=low, slope_high=high,
        annealed_slope=annealed.log_mean / steps, annealed_slope_se=annealed.se / steps,
    )  # fmt: skip


@ignoring_floating_point_errors
def collapse(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the gain over depth in units of the depth scale of gradients, on which cells of all sigma_w collapse.

    In mean field the gain changes by chi_1 per layer once q has reached its fixed point, so ln gain is -depth_over_xi
    with xi_grad = -1 / ln(chi_1): Schoenholz et al. 2017 (arXiv:1611.01232).

    Parameters
    ----------
    summary
        Rows of :func:`gradsim.analysis.summary`.

    Returns
    -------
    pandas.DataFrame
        A row per cell whose chi_1 is known: activation, law, sigma_b, width, depth, sigma_w; xi_grad, in layers,
        negative where gradients explode; depth_over_xi, (depth - 1) / xi_grad; quenched_log_gain with its interval;
        excess, by which it lies above the common line: of the layers in which q relaxes, and of a finite width.
    """
    known = summary[summary["chi_1"].gt(0.0) & np.isfinite(summary["chi_1"])]
    log_chi = np.log(known["chi_1"].to_numpy(np.float64))
    depth_over_xi = -(known["depth"].to_numpy(np.float64) - 1.0) * log_chi + 0.0
    gain = ["quenched_log_gain", "quenched_log_gain_low", "quenched_log_gain_high"]
    axes = with_network_axes(_AXES, known)
    found: pd.DataFrame = known[[*axes, *gain]].assign(
        xi_grad=-1.0 / log_chi, depth_over_xi=depth_over_xi, excess=known["quenched_log_gain"] + depth_over_xi
    )
    return found[[*axes, "xi_grad", "depth_over_xi", *gain, "excess"]].reset_index(drop=True)


@ignoring_floating_point_errors
def spread_per_depth(summary: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return how the variance of ln gain grows with depth over width: std^2 = beta (depth - 1) / width.

    For relu beta tends to 5, for linear to 2 (Hanin and Nica 2018, arXiv:1812.05994). Each cell is weighted by its
    interval of std.

    Returns
    -------
    pandas.DataFrame
        A row per (activation, law, sigma_b, sigma_w): cells, beta, beta_se, beta_low, beta_high, and misfit: chi^2 per
        degree of freedom, above 1 where the cells do not lie on a line. NaN with one cell.
    """
    level, found = check_probability("level", level), []
    usable = summary[(summary["depth"] > 1) & np.isfinite(summary["std_high"] - summary["std_low"])]
    names = with_network_axes(_POINT, summary)
    for key, rows in usable.groupby(names):
        x = (rows["depth"].to_numpy(np.float64) - 1.0) / rows["width"].to_numpy(np.float64)
        std = rows["std"].to_numpy(np.float64)
        se = 2.0 * std * (rows["std_high"] - rows["std_low"]).to_numpy(np.float64) / (2.0 * ndtri(0.975))
        beta, beta_se, misfit = _line(x[:, None], std**2, se)
        reach = ndtri(0.5 + level / 2) * float(beta_se[0])
        numbers = {"cells": len(rows), "beta": float(beta[0]), "beta_se": float(beta_se[0])}
        found.append(
            dict(zip(names, key, strict=True))
            | numbers
            | {"beta_low": beta[0] - reach, "beta_high": beta[0] + reach, "misfit": misfit}
        )
    columns = [*names, "cells", "beta", "beta_se", "beta_low", "beta_high", "misfit"]
    return pd.DataFrame(found, columns=columns)


@ignoring_floating_point_errors
def infinite_width(boundary: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return boundaries extrapolated in 1/width to infinite width, beside the theory at that depth.

    ln sigma_w is fitted as a + b / width, with four widths and more + c / width^2, weighted by the intervals. Without
    the square, the term that it would add at the largest width is taken as a further error.

    Parameters
    ----------
    boundary
        Rows of :func:`gradsim.analysis.boundary` at several widths, with 95 % intervals.
    level
        Probability that an interval covers the boundary.

    Returns
    -------
    pandas.DataFrame
        A row per (activation, law, sigma_b, depth, kind): widths, sigma_w, ci_low, ci_high, theory, misfit (chi^2 per
        degree of freedom), slope and bend (b and c of the fit, 0 without the square), reason: why there is no number.
    """
    level, rows = check_probability("level", level), []
    names = with_network_axes(_GROUP, boundary)
    for key, group in boundary.groupby(names, sort=True):
        usable = group[np.isfinite(group["ci_high"] - group["ci_low"])]
        row: dict[str, Any] = dict(zip(names, key, strict=True)) | {"widths": len(usable)}
        row |= {"theory": float(group["theory"].iloc[0]), "reason": None}
        if len(usable) < _FEWEST:
            row["reason"] = f"Too few widths: {len(usable)} with a boundary and its interval, {_FEWEST} are needed."
        else:
            row |= _extrapolated(usable, level)
        rows.append(row)
    numbers = ("sigma_w", "ci_low", "ci_high", "theory", "misfit", "slope", "bend")
    frame = pd.DataFrame(rows, columns=[*names, "widths", *numbers, "reason"], dtype=object)
    types = {name: boundary[name].dtype for name in names}
    return frame.astype({**types, **dict.fromkeys(numbers, float), "widths": int})


def _extrapolated(rows: pd.DataFrame, level: float) -> dict[str, float]:
    x = 1.0 / rows["width"].to_numpy(np.float64)
    y, low, high = (np.log(rows[name].to_numpy(np.float64)) for name in ("sigma_w", "ci_low", "ci_high"))
    se = np.maximum((high - low) / (2.0 * ndtri(0.975)), 1e-12)
    terms = 3 if len(x) > _FEWEST else 2
    found, error, misfit = _line(x[:, None] ** np.arange(terms), y, se)
    extra = 0.0 if terms == 3 else abs(float(found[1])) * float(x.min()) * float(x.min() / x.max())
    freedom = len(x) - terms
    reach = (
        float(stdtrit(freedom, 0.5 + level / 2) if misfit > 1.0 else ndtri(0.5 + level / 2)) * float(error[0]) + extra
    )
    ends = {"sigma_w": found[0], "ci_low": found[0] - reach, "ci_high": found[0] + reach}
    curve = {"misfit": misfit, "slope": float(found[1]), "bend": float(found[2]) if terms == 3 else 0.0}
    return {name: float(np.exp(value)) for name, value in ends.items()} | curve


def _line(terms: Array, y: Array, se: Array) -> tuple[Array, Array, float]:
    """Weighted least squares: coefficients, errors (widened if the points lie off), chi^2 per degree of freedom."""
    scaled, target = terms / se[:, None], y / se
    found: Array = np.asarray(np.linalg.lstsq(scaled, target, rcond=None)[0], np.float64)
    freedom = len(y) - terms.shape[1]
    misfit = float(np.sum((target - scaled @ found) ** 2) / freedom) if freedom else float("nan")
    covariance = np.linalg.pinv(scaled.T @ scaled)
    error: Array = np.sqrt(np.diag(covariance)) * max(1.0, np.sqrt(misfit) if freedom else 1.0)
    return found, error, misfit
