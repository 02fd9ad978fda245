"""Tables for people and for programs: what the command line prints."""

from __future__ import annotations

import sys
import textwrap
from typing import Literal

import numpy as np
import pandas as pd

from gradsim.report.fitting import fit
from gradsim.sweep.cells import NETWORK_AXES
from gradsim.sweep.columns import with_network_axes
from gradsim.system.streams import printable

Format = Literal["table", "csv", "json"]

SUMMARY_COLUMNS = [
    "activation", "law", "sigma_b", "width", "depth", "sigma_w", "quenched_log_gain", "quenched_se", "median_log_gain",
    "annealed_log_gain", "trusted", "decades", "std", "q05", "q95", "live_share", "dead_fraction",
    "nonfinite_fraction", "phase", "chi_1", "complete", "reason",
]  # fmt: skip
BOUNDARY_COLUMNS = [
    "activation", "law", "sigma_b", "width", "depth", "kind", "sigma_w", "ci_low", "ci_high", "theory", "theory_inf",
    "theory_width", "direction", "live_share", "reason", "theory_reason",
]  # fmt: skip
GROWTH_COLUMNS = [
    "activation", "law", "sigma_b", "width", "sigma_w", "depth", "median_log_gain", "median_log_gain_low",
    "median_log_gain_high", "decades", "theory_decades", "theory_reason",
]  # fmt: skip
PRECISION_COLUMNS = [
    "activation", "law", "sigma_b", "width", "depth", "kind", "sigma_w", "ci_low", "ci_high", "half_width_before",
    "half_width", "reached", "networks", "uniform_networks", "reason",
]  # fmt: skip
_KEYS = (
    *NETWORK_AXES,
    "activation",
    "law",
    "sigma_b",
    "width",
    "depth",
    "sigma_w",
    "kind",
    "cell_id",
    "quantity",
    "layer",
    "id",
)
_AXES = (
    *NETWORK_AXES, "activation", "law", "sigma_b", "width", "depth", "networks", "seed", "method", "dtype", "complete",
    "nonfinite_fraction",
)  # fmt: skip


def render(frame: pd.DataFrame, form: Format, columns: list[str] | None = None, width: int | None = None) -> str:
    """Return a frame as text.

    Parameters
    ----------
    frame
        The table.
    form
        "table" for people: the given columns, with those that are the same in every row in a line above; "csv" and
        "json" (a list of records) for programs: every column in full precision. In JSON, null is unknown, and "inf" and
        "-inf" are infinities.
    columns
        Columns of the table for people; all if None.
    width
        Characters of a line of the terminal: a wider table is cut into blocks, with sentences below; None for no limit.
    """
    if form == "csv":
        columns_of_text = frame.select_dtypes(["object", "string", "category"])
        cells = {str(name): [_csv_cell(value) for value in column] for name, column in columns_of_text.items()}
        return pd.DataFrame(dict(frame) | cells).to_csv(index=False).rstrip("\n")
    if form == "json":
        infinite = frame.isin([np.inf, -np.inf])
        spelled = frame.astype({name: object for name in frame if infinite[name].any()})
        text = str(spelled.mask(infinite, frame.map(str)).to_json(orient="records", double_precision=15))
        return text.replace("\x7f", "\\u007f")
    columns = with_network_axes(columns, frame) if columns and "activation" in columns else columns
    shown = frame[[name for name in columns or frame.columns if name in frame]]
    if len(shown) == 0:
        return "(nothing yet)"
    same = [name for name in _AXES if name in shown and len(shown) > 1 and shown[name].astype(str).nunique() == 1]
    head = ", ".join(f"{name} {_word(shown[name].iloc[0])}" for name in same)
    empty = [name for name in shown if name not in same and shown[name].isna().all()]
    body = shown.drop(columns=[*same, *empty]).map(_word)
    lines = fit(body, _KEYS, width or sys.maxsize)
    return f"{textwrap.fill(head, width) if width else head}\n{lines}" if head else lines


def _word(value: object) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and value != value):
        return "-"
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.5g}"
    return printable(str(value), keep="")


def _csv_cell(value: object) -> object:
    """Quote text that a spreadsheet would run as a formula, and escape control characters."""
    if not isinstance(value, str):
        return value
    text = printable(value, keep="")
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def size(count: float) -> str:
    """Bytes as a person reads them.

    Examples
    --------
    >>> size(1_234_567)
    '1.2 MB'
    """
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
