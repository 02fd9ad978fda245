"""Frames of a made-up run, from values of single networks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gradsim_core.results.statistics import BINS_PER_LN


def cell_frame(cell_id: int, depth: int, sigma_w: float = 1.0, **changes: Any) -> pd.DataFrame:
    """One row of cells()."""
    cell = {"activation": "tanh", "law": "gaussian", "sigma_w": sigma_w, "sigma_b": 0.0, "depth": depth, "width": 64}
    return pd.DataFrame([{"cell_id": cell_id, **cell, **changes}])


def reduced(cell_id: int, layer: int, quantity: str, values: np.ndarray) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sums and histogram of values with -inf (dead) and NaN (non-finite) among them, as the dataset returns them."""
    live = values[np.isfinite(values)]
    some = len(live) > 0
    std = live.std(ddof=1) if len(live) > 1 else np.nan
    keys = {"cell_id": cell_id, "layer": layer, "quantity": quantity}
    sums = {
        "networks": len(values), "dead": int((values == -np.inf).sum()), "nonfinite": int(np.isnan(values).sum()),
        "mean": live.mean() if some else np.nan, "std": std, "se": std / np.sqrt(max(len(live), 1)),
        "min": live.min() if some else np.nan, "max": live.max() if some else np.nan,
    }  # fmt: skip
    bins, networks = np.unique(np.floor(live * BINS_PER_LN).astype(int), return_counts=True)
    return pd.DataFrame([keys | sums]), pd.DataFrame(keys | {"bin": bins, "networks": networks})


def run_frames(cell: pd.DataFrame, gain: np.ndarray, delta_dead: int = 0, q_dead: int = 0) -> list[pd.DataFrame]:
    """Cells, sums and histograms of one cell with the given log gains of layer 1."""
    cell_id, depth = int(cell["cell_id"].iloc[0]), int(cell["depth"].iloc[0])
    lost = np.full(delta_dead, -np.inf)
    parts = [
        reduced(cell_id, 1, "log_gain", gain),
        reduced(cell_id, 1, "log_delta", np.concatenate([gain, lost])),
        reduced(cell_id, depth, "log_q", np.concatenate([np.zeros(len(gain) + delta_dead - q_dead), lost[:q_dead]])),
    ]
    return [cell, pd.concat([sums for sums, _ in parts]), pd.concat([bins for _, bins in parts])]


def joined(*runs: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Several cells as one run."""
    return [pd.concat(frames, ignore_index=True) for frames in zip(*runs, strict=True)]
