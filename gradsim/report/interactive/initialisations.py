"""The table of a run with presets: the gain for each activation and initialisation, in colours."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from gradsim.analysis.summaries import median_decades
from gradsim.report.interactive.facts import AXES, Facts
from gradsim.report.languages import Words
from gradsim.sweep.columns import independent_axes

_BLUE, _MIDDLE, _RED = (33, 102, 172), (247, 247, 247), (178, 24, 43)  # of ColorBrewer's RdBu
_LARGEST = 3.0  # decades that get the full colour, unless all are smaller


def initialisations(facts: Facts, words: Words) -> dict[str, Any] | None:
    """Return the table of the first combination at its largest depth; None for a run without presets.

    Returns
    -------
    dict or None
        ``caption``; ``columns``, the presets; ``rows``, pairs of an activation and its cells, each a text with the
        colours of paper and ink.
    """
    if "preset" not in facts.summary:
        return None
    others = [axis for axis in independent_axes(AXES, facts.summary) if axis not in ("activation", "preset")]
    chosen = _first(facts.summary.sort_values("depth", ascending=False, kind="stable"), [*others, "depth"])
    chosen = chosen.assign(decades=median_decades(chosen))
    activations, presets = (list(dict.fromkeys(facts.summary[name])) for name in ("activation", "preset"))
    decades = chosen.pivot(index="activation", columns="preset", values="decades").reindex(activations, columns=presets)
    limit = min(max(float(np.nanmax(np.abs(decades.to_numpy(np.float64)), initial=0.0)), 1.0), _LARGEST)
    said = ", ".join(f"{words(axis) if axis in words else axis} {chosen[axis].iloc[0]}" for axis in [*others, "depth"])
    return {
        "caption": words("page.initialisations_caption", where=said),
        "columns": presets,
        "rows": [(name, [cell_of(float(value), limit, words) for value in decades.loc[name]]) for name in activations],
    }


def _first(summary: pd.DataFrame, axes: list[str]) -> pd.DataFrame:
    """The rows with the values of the first one."""
    same = np.ones(len(summary), np.bool_)
    for axis in axes:
        same &= (summary[axis] == summary[axis].iloc[0]).to_numpy(np.bool_)
    return summary[same]


def cell_of(decades: float, limit: float, words: Words) -> dict[str, str]:
    """Return the text of a cell and its colours; red explodes, blue vanishes, grey has no live network."""
    if math.isnan(decades):
        return {"text": words("page.no_network"), "paper": "#d9d9d9", "ink": "#000000"}
    share = max(-1.0, min(1.0, decades / limit))
    end = _RED if share > 0 else _BLUE
    mixed = [round(a + (b - a) * abs(share)) for a, b in zip(_MIDDLE, end, strict=True)]
    text = f"{decades:+.1f}".replace("-", "\N{MINUS SIGN}")
    return {"text": text, "paper": "#" + "".join(f"{part:02x}" for part in mixed), "ink": _ink_on(mixed)}


def _ink_on(paper: list[int]) -> str:
    """Black or white, whichever has the larger contrast (WCAG 2.2)."""
    parts = [part / 255 for part in paper]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#000000" if luminance > 0.179 else "#ffffff"
