"""What a report is made of: the tables of a run, and where they come from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from gradsim.report.thinning import spread_evenly

MOST_CELLS = 500  # whose layers a report holds: with 64 layers they take 2 MB of the file
AXES = ["activation", "law", "sigma_b", "width"]
"""What a phase diagram over (sigma_w, depth) is of: one combination of these, and of network axes that are set."""


class Facts(NamedTuple):
    """The tables of a run.

    Attributes
    ----------
    title
        Heading of the page, as text.
    summary, boundary
        What `Run.summary` and `Run.boundary` return, for the kinds of `gradsim.analysis.KINDS`.
    expected
        sigma_w of each row of ``boundary`` that theory at this width predicts; NaN where none is known.
    layers, histograms
        What `Run.layers` and `Run.histograms` (of log_gain, layer 1) return, for the cells of `embedded_cells`.
    networks
        Number of networks in the tables.
    missing
        How many shards are missing, and how many there are.
    provenance
        Facts about the run, by the key ``made.KEY`` of their name in `words.WORDS`.
    level
        Probability that an interval covers what it estimates.
    """

    title: str
    summary: pd.DataFrame
    boundary: pd.DataFrame
    expected: np.ndarray
    layers: pd.DataFrame
    histograms: pd.DataFrame
    networks: int
    missing: tuple[int, int]
    provenance: dict[str, str]
    level: float


def embedded_cells(cells: pd.DataFrame) -> list[int]:
    """Return the numbers of the cells whose layers a report holds: all, or `MOST_CELLS` evenly spread."""
    return [int(cell) for cell in spread_evenly(cells["cell_id"].tolist(), MOST_CELLS)]
