"""What the report of a run is made of: its tables, the theory at its widths, and where the numbers come from."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gradsim import theory
from gradsim.dataset import directory
from gradsim.errors import SweepError
from gradsim.report.interactive import Facts, check_extra, embedded_cells, page_of
from gradsim.report.languages import check_language
from gradsim.runs import tables
from gradsim.runs.reading import Results
from gradsim.system import filesystem
from gradsim.theory import NoCriticalPoint
from gradsim.version import __version__

_MOST_EXPECTED = 60  # boundaries that are compared with theory at their width: each takes up to half a second


def write(run: Results, output: Path | None, lang: str, level: float) -> Path:
    """Write the report of a run, into its directory by default; see `gradsim.Run.report`."""
    check_language(lang)
    check_extra()
    path = run.path / "report.html" if output is None else filesystem.absolute(output)
    unfinished = path.parent if output is not None else run.path / "tmp"  # in the run's directory gc removes leftovers
    filesystem.check_writable(path.parent)
    page = page_of(facts_of(run, level), lang)
    filesystem.make_dirs(unfinished)
    filesystem.replace(unfinished, path, page)
    return path


def facts_of(run: Results, level: float) -> Facts:
    """Read the tables of a run for its report.

    Raises
    ------
    SweepError
        For a level outside (0, 1).
    """
    summary = run.summary(level)
    boundary = run.boundary(level, summary=summary)
    inside = embedded_cells(summary)
    now = run.dataset.snapshot()
    return Facts(
        title=run.path.name,
        summary=summary,
        boundary=boundary,
        expected=_expected(boundary, tables.own_activations(run.sweep)),
        layers=run.layers(inside, level=level),
        histograms=run.histograms(inside, layer=1, quantity="log_gain"),
        networks=int(now.networks_done().sum()),
        missing=(len(now.missing()), run.dataset.plan.shard_count),
        provenance=_provenance(run),
        level=level,
    )


def _expected(boundary: pd.DataFrame, own: dict[str, Any]) -> np.ndarray:
    """sigma_w of quenched boundaries by theory at their width, where it is not known exactly; NaN for the others.

    The deepest ones of each combination come first if there are too many.
    """
    known = boundary["sigma_w"].notna() & boundary["theory_width"].isna() & boundary["theory"].notna()
    wanted = boundary[known & (boundary["kind"] == "quenched") & (boundary["law"] == "gaussian")]
    found = np.full(len(boundary), np.nan)
    for place, row in wanted.sort_values("depth", ascending=False).head(_MOST_EXPECTED).iterrows():
        activation = own.get(row["activation"], row["activation"])
        try:
            value = theory.typical_sigma_w(activation, int(row["depth"]), float(row["sigma_b"]), int(row["width"]))
        except (NoCriticalPoint, SweepError):
            continue
        found[boundary.index.get_loc(place)] = value
    return found


def _provenance(run: Results) -> dict[str, str]:
    """Facts about the run, by the key of their name among the texts of the report."""
    dataset, sweep = run.dataset, run.sweep
    plan, info = dataset.plan, directory.run_info(dataset.path)
    found = {
        "directory": run.path.name,
        "sweep": sweep.content_hash,
        "seed": f"{sweep.seed}",
        "method": f"{sweep.method}, {sweep.dtype}",
        "cells": f"{len(plan.cells):,}, {plan.networks:,}",
        "shards": f"{len(dataset.committed()):,} / {plan.shard_count:,}",
    }
    if plan.extensions:
        found["extensions"] = f"{len(plan.extensions)}"
    if info is not None:
        found["created"] = f"{info.created:%Y-%m-%d %H:%M:%S} UTC"
        found["environment"] = ", ".join(f"{name} {value}" for name, value in info.environment.items())
    return found | {"written": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, gradsim {__version__}"}
