"""Which cells of a run are drawn: one combination of parameters, or cells by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gradsim.errors import SweepError, suggestion
from gradsim.plots import words
from gradsim.report.thinning import spread_evenly

if TYPE_CHECKING:
    from gradsim.runs.results import Run


def matching(frame: pd.DataFrame, axes: Sequence[str], where: Mapping[str, Any]) -> pd.DataFrame:
    """Return the rows with these values of parameters.

    Raises
    ------
    SweepError
        For a parameter that is none of ``axes``, or a value that the run does not have.
    """
    for name, value in where.items():
        if name not in axes:
            raise SweepError(name, value, f"one of {', '.join(axes)}, to choose", suggestion(name, axes))
        wanted = getattr(value, "name", value)
        same = [_equal(wanted, there) for there in frame[name]]
        if not any(same):
            values = ", ".join(f"{there}" for there in spread_evenly(sorted(frame[name].unique()), 12))
            raise SweepError(name, value, f"a value that the run has: {values}", "Take one of these")
        frame = frame[same]
    return frame


def _equal(wanted: Any, there: Any) -> bool:
    if isinstance(there, str) or not isinstance(wanted, (int, float, np.number)):
        return bool(wanted == there)
    return bool(np.isclose(float(wanted), float(there), rtol=1e-9, atol=0.0))


def first_combination(frame: pd.DataFrame, axes: Sequence[str]) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """Return the rows of the first combination of parameters, the combination, and the sentence if there are others."""
    groups = frame[list(axes)].drop_duplicates()
    if groups.empty:
        return frame, {}, []
    group = {str(name): value for name, value in groups.iloc[0].items()}
    varying = [name for name in axes if groups[name].nunique() > 1]
    said = [f"One of {len(groups)} combinations of {', '.join(varying)}."] if varying else []
    return frame[(frame[list(axes)] == pd.Series(group)).all(axis=1)], group, said


def networks_of(run: Run, cells: pd.Series | Sequence[int]) -> np.ndarray:
    """Return how many networks of each of the cells, by number, are stored."""
    stored = pd.Series(run.dataset.snapshot().networks_done(), index=run.cells()["cell_id"])
    return stored.reindex(list(cells)).to_numpy(np.int64)


def networks_sentence(run: Run, cells: pd.Series | Sequence[int]) -> str:
    """Return the sentence with the number of networks of these cells, and the seed."""
    return words.networks_sentence(networks_of(run, cells).tolist(), run.sweep.seed)


def check_cells(run: Run, cells: int | Sequence[int] | None) -> list[int]:
    """Return numbers of cells, all by default.

    Raises
    ------
    SweepError
        For a number that no cell has.
    """
    known = run.cells()["cell_id"].tolist()
    wanted = known if cells is None else np.atleast_1d(np.asarray(cells)).tolist()
    for cell in wanted:
        if cell not in known:
            allowed = f"numbers from 0 to {len(known) - 1}"
            raise SweepError("cell", cell, allowed, "run.cells() lists the cells with their numbers")
    return [int(cell) for cell in wanted]
