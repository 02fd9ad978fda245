"""The data of a report as JSON: tables by column, and curves as whole numbers of 16 bits, which take a third."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.analysis import BIN_WIDTH
from gradsim.report.interactive.facts import AXES, Facts
from gradsim.report.interactive.verdicts import z_scores
from gradsim.report.page import base64_text
from gradsim.report.thinning import spread_evenly
from gradsim.sweep.columns import independent_axes

Array = NDArray[np.float64]

CURVES = ["q05", "q25", "median", "q75", "q95", "mean"]
MOST_LAYERS = 64  # of a cell; deeper networks show so many, evenly spread
_LN10 = math.log(10.0)
_CODES, _MISSING = 60_000, -32768  # steps of a curve's range, and the code of a missing number
_MOST_BARS = 48


def as_json(value: object) -> str:
    """Return JSON that may stand inside a ``script`` element: no text in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Return a frame by column: numbers to six digits, None where there is none or an infinite one."""
    return {str(name): [_plain(value) for value in column] for name, column in frame.items()}


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA:
        return None
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return str(value)


def groups(summary: pd.DataFrame) -> pd.DataFrame:
    """Return the combinations of axes in the order of the cells; the index is their number."""
    return summary[independent_axes(AXES, summary)].drop_duplicates().reset_index(drop=True)


def _group_of(frame: pd.DataFrame, combinations: pd.DataFrame) -> pd.Series:
    axes = list(combinations)
    numbered = combinations.assign(group=range(len(combinations)))
    return frame[axes].merge(numbered, on=axes, how="left")["group"].set_axis(frame.index)


def cells(facts: Facts) -> pd.DataFrame:
    """Return a row per cell: its number and combination, its corners in the diagram, and its numbers in decades."""
    summary = facts.summary
    decades = {}
    for kind in ("quenched", "median", "annealed"):
        for end in ("", "_low", "_high"):
            decades[f"{kind}{end}"] = summary[f"{kind}_log_gain{end}"] / (2.0 * _LN10)
    decades |= {name: summary[name] / (2.0 * _LN10) for name in ("std", "q05", "q95")}
    plain = ["depth", "sigma_w", "live_share", "dead_fraction", "nonfinite_fraction", "chi_1", "phase", "complete",
             "trusted", "reason"]  # fmt: skip
    frame = pd.DataFrame({"cell": summary["cell_id"], "group": _group_of(summary, groups(summary)), **decades})
    frame = frame.assign(**{name: summary[name] for name in plain}, networks=summary["live_networks"])
    return frame.assign(**_corners(frame))


def _corners(frame: pd.DataFrame) -> dict[str, Array]:
    """Edges of the rectangle of each cell: half-way to its neighbours in sigma_w, and in ln depth."""
    corners = {name: np.empty(len(frame)) for name in ("x0", "x1", "y0", "y1")}
    for _, rows in frame.reset_index(drop=True).groupby("group"):
        depths = np.unique(rows["depth"].to_numpy(np.float64))
        low, high = np.exp(_edges(np.log(depths)))
        for depth, row in rows.groupby("depth"):
            place = row.sort_values("sigma_w").index
            corners["x0"][place], corners["x1"][place] = _edges(frame["sigma_w"].to_numpy(np.float64)[place])
            level = int(np.searchsorted(depths, float(str(depth))))
            corners["y0"][place], corners["y1"][place] = low[level], high[level]
    return corners


def _edges(centres: Array) -> tuple[Array, Array]:
    if len(centres) == 1:
        return centres - 0.35, centres + 0.35
    middle = 0.5 * (centres[1:] + centres[:-1])
    edges = np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
    return edges[:-1], edges[1:]


def boundaries(facts: Facts, sentences: list[str]) -> pd.DataFrame:
    """Return a row per boundary with its z-scores and its verdict."""
    found = facts.boundary
    plain = ["depth", "kind", "sigma_w", "ci_low", "ci_high", "theory", "theory_inf", "theory_width", "live_share",
             "trusted", "direction", "reason"]  # fmt: skip
    return pd.DataFrame(
        {
            "group": _group_of(found, groups(facts.summary)),
            **{name: found[name] for name in plain},
            "z": z_scores(found, "theory", facts.level),
            "z_width": z_scores(found, "theory_width", facts.level),
            "verdict": sentences,
        }
    )


def layers(frame: pd.DataFrame) -> dict[str, Any]:
    """Return the curves of all cells, of each quantity: base64 of 16-bit numbers, with the scale of each cell.

    The curves of a cell follow one another in the order of `CURVES`, each over ``shown`` of its depth.
    """
    ordered = frame.sort_values(["cell_id", "layer"])
    depth = ordered.groupby("cell_id")["layer"].max()
    shown = {int(value): shown_layers(int(value)) for value in depth.unique()}
    quantities = {}
    for name, rows in ordered.groupby("quantity", sort=False, observed=True):
        coded, low, step = [], [], []
        for _, cell in rows.groupby("cell_id"):
            places = np.array(shown[len(cell)]) - 1
            codes, base, size = _coded(cell[CURVES].to_numpy(np.float64)[places].T.ravel() / _LN10)
            coded.append(codes)
            low.append(base)
            step.append(size)
        blob = np.concatenate(coded).astype("<i2").tobytes() if coded else b""
        quantities[str(name)] = {"codes": base64_text(blob), "low": low, "step": step}
    return {"cells": [int(cell) for cell in depth.index], "depths": depth.tolist(), "shown": shown,
            "curves": CURVES, "quantities": quantities}  # fmt: skip


def shown_layers(depth: int) -> list[int]:
    """Return the layers of a network that its curves have: all, or `MOST_LAYERS` evenly spread, 1 and L among them."""
    return spread_evenly(range(1, depth + 1), MOST_LAYERS)


def _coded(values: Array) -> tuple[NDArray[np.int64], float, float]:
    """Whole numbers c, and low and step, with value = low + step c to the step; `_MISSING` for one not finite."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(len(values), _MISSING), 0.0, 0.0
    low, high = float(values[finite].min()), float(values[finite].max())
    step = (high - low) / _CODES
    codes = np.full(len(values), _MISSING)
    codes[finite] = np.rint((values[finite] - low) / step) - _CODES // 2 if step else 0
    return codes, low + step * (_CODES // 2), step


def histograms(frame: pd.DataFrame) -> dict[int, list[Any]]:
    """Return of each cell the histogram of the gain in decades of the norm: first edge, width of a bar, counts."""
    unit = BIN_WIDTH / (2.0 * _LN10)
    found = {}
    for cell, rows in frame.groupby("cell_id"):
        bins, networks = rows["bin"].to_numpy(np.int64), rows["networks"].to_numpy(np.int64)
        bars = min(_MOST_BARS, math.ceil(2.0 * networks.sum() ** (1 / 3)))  # the rule of Rice
        wide = -(-(int(bins.max() - bins.min()) + 1) // bars)
        counts = np.bincount((bins - bins.min()) // wide, weights=networks).astype(int)
        found[int(str(cell))] = [float(f"{bins.min() * unit:.6g}"), float(f"{wide * unit:.6g}"), counts.tolist()]
    return found
