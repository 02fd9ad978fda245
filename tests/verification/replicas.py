"""Many small experiments at once: draws from a known law, as the frames of one run whose cells are the experiments."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gradsim import analysis
from gradsim_core.results.statistics import BINS_PER_LN


def draw_gains(rng, slope, width, depth, sigma_w, shape):
    """ln gain of networks of relu (slope 0), leaky relu or linear; -inf dead on the way, NaN dead at the last layer."""
    active = rng.binomial(width, 0.5, (*shape, depth))
    squares = 2.0 * rng.standard_gamma(np.maximum(active, 1e-300) / 2.0) * (active > 0)
    if slope:
        squares += slope**2 * 2.0 * rng.standard_gamma(np.maximum(width - active, 1e-300) / 2.0) * (active < width)
    with np.errstate(divide="ignore"):
        gain = np.log(sigma_w**2 / width * squares[..., :-1]).sum(axis=-1)
    if not slope:
        gain[(active[..., -1] == 0) & np.isfinite(gain)] = np.nan
    return gain


def summaries(gain, cells, level=0.95):
    """The summary of experiments: a row of ``gain`` (experiments, networks) and of ``cells`` each."""
    count, networks = gain.shape
    reached, live = ~np.isneginf(gain), np.isfinite(gain)
    cells = cells.assign(cell_id=np.arange(count), networks=networks)
    value, everyone, depth = np.where(live, gain, 0.0), np.ones_like(live), int(cells["depth"].iloc[0])
    parts = [("log_gain", 1, value, live, live), ("log_delta", 1, value, live, everyone)]
    parts.append(("log_q", depth, np.zeros_like(gain), reached, everyone))
    sums = pd.concat([_sums(cells["cell_id"].to_numpy(), *part) for part in parts])
    row, column = np.nonzero(live)
    bins = np.floor(gain[row, column] * BINS_PER_LN).astype(np.int64)
    key, many = np.unique(row * 2**32 + (bins + 2**31), return_counts=True)
    histograms = pd.DataFrame(
        {"cell_id": key >> 32, "layer": 1, "quantity": "log_gain", "bin": (key % 2**32) - 2**31, "networks": many}
    )
    return analysis.summary(cells, sums, histograms, level=level)


def _sums(cell_id, quantity, layer, values, live, counted):
    n = live.sum(axis=1)
    mean = np.where(live, values, 0.0).sum(axis=1) / np.maximum(n, 1)
    square = np.where(live, (values - mean[:, None]) ** 2, 0.0).sum(axis=1)
    std = np.where(n > 1, np.sqrt(square / np.maximum(n - 1, 1)), np.nan)
    frame = {"cell_id": cell_id, "layer": layer, "quantity": quantity}
    frame |= {"networks": counted.sum(axis=1), "dead": (counted & ~live).sum(axis=1), "nonfinite": 0}
    frame |= {"mean": np.where(n > 0, mean, np.nan), "std": std, "se": std / np.sqrt(np.maximum(n, 1))}
    frame["min"], frame["max"] = np.where(live, values, np.inf).min(axis=1), np.where(live, values, -np.inf).max(axis=1)
    return pd.DataFrame(frame)
