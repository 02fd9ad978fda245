"""A made-up boundary: log gains are normal, their mean is a curve in sigma_w with a known root; networks are added."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from gradsim import analysis
from gradsim.analysis.boundaries import COLUMNS
from gradsim.analysis.refinement import Additions, additions

ROOT, SLOPE, STD = 1.4437, 6.0, 1.5
Z = 1.959963984540054


def line(sigma_w: float) -> float:
    return SLOPE * (sigma_w - ROOT)


def bent(sigma_w: float) -> float:
    """Steeper below the root than above, as of tanh."""
    return SLOPE * ROOT * (1.0 - (ROOT / sigma_w) ** 3) / 3.0


class MadeBoundary:
    """Cells with their networks, and the tables of a run with them."""

    def __init__(self, seed: int, grid: np.ndarray, networks: int, curve: Callable[[float], float] = line) -> None:
        self.rng, self.curve = np.random.default_rng(seed), curve
        self.sigma_w, self.counts, self.sums = list(grid), [0] * len(grid), [0.0] * len(grid)
        for cell in range(len(grid)):
            self.draw(cell, networks)

    def draw(self, cell: int, count: int) -> None:
        self.counts[cell] += count
        mean = self.curve(self.sigma_w[cell])
        self.sums[cell] += float(self.rng.normal(count * mean, STD * np.sqrt(count)))

    def add(self, found: Additions) -> None:
        for cell, count in found.networks.items():
            self.draw(cell, count)
        for (_, sigma_w), count in found.cells.items():
            self.sigma_w.append(sigma_w)
            self.counts.append(0)
            self.sums.append(0.0)
            self.draw(len(self.sums) - 1, count)

    def summary(self) -> pd.DataFrame:
        counts = np.array(self.counts, float)
        axes = {"activation": "made", "law": "gaussian", "sigma_b": 0.0, "width": 8, "depth": 4}
        value = np.array(self.sums) / counts
        columns = {"cell_id": range(len(counts)), "sigma_w": self.sigma_w, "std": STD, "live_networks": counts}
        lost = {"dead_fraction": 0.0, "nonfinite_fraction": 0.0}
        kinds = {}
        for kind, wider in (("quenched", 1.0), ("median", np.sqrt(np.pi / 2))):
            kinds |= {f"{kind}_log_gain": value, f"{kind}_se": wider * STD / np.sqrt(counts)}
        return pd.DataFrame(columns | kinds | axes | lost)

    def boundary(self, *kinds: str) -> pd.DataFrame:
        rows = []
        summary = self.summary().sort_values("sigma_w")
        for kind in kinds or ("quenched",):
            columns = (summary[name].to_numpy() for name in ("sigma_w", f"{kind}_log_gain", f"{kind}_se"))
            crossing = analysis.find_crossing(*columns, key=kind)
            row = dict.fromkeys(COLUMNS) | dict(summary.iloc[0]) | crossing._asdict()
            rows.append(row | {"kind": kind, "trusted": crossing.reason is None, "crossing": crossing.number})
        return pd.DataFrame(rows)[COLUMNS]

    def refine(self, target: float, rounds: int = 16) -> tuple[int, pd.DataFrame]:
        """Add until the target is reached; the number of rounds and the boundary."""
        for done in range(rounds):
            found = additions(self.summary(), self.boundary(), target)
            if not found:
                return done, self.boundary()
            self.add(found)
        raise AssertionError("the target is not reached")
