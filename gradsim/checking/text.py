"""A check as text for people."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import pandas as pd

from gradsim.report.text import render

_GROWTH = ["place", "quantity", "blocks", "law", "exponent", "ci_low", "ci_high", "factor"]
_MATRICES = ["family", "blocks", "fan_in", "fan_out", "std", "sigma_w", "law", "presets"]
_LAWS = ["places", "law", "activation", "sigma_w", "depth", "width", "log_gain", "expected", "z", "reason"]


def described(heading: str, tables: Mapping[str, pd.DataFrame], width: int | None) -> str:
    """Return a check as text: verdicts, matrices, growth, laws.

    Parameters
    ----------
    heading
        Its first line.
    tables
        verdicts, parameters, growth and laws.
    width
        Characters of a line; None for no limit.
    """
    parts = [heading, _verdicts(tables["verdicts"], width)]
    for title, table in (
        ("Matrices (one row per family; std of the first block)", _matrices(tables["parameters"])),
        ("Growth of the mean square, by the law that fits better", _growth(tables["growth"])),
        ("Beside gradsim's law of the same cell", tables["laws"][_LAWS]),
    ):
        if len(table):
            parts.append(f"{title}:\n{render(table, 'table', width=width)}")
    return "\n\n".join(parts)


def _verdicts(verdicts: pd.DataFrame, width: int | None) -> str:
    if verdicts.empty:
        return "No fault of initialisation was found."
    lines = [f"{row.rule}: {row.verdict} [{row.source}]" for row in verdicts.itertuples()]
    return "\n".join(textwrap.fill(f"* {line}", width or 120, subsequent_indent="  ") for line in lines)


def _matrices(parameters: pd.DataFrame) -> pd.DataFrame:
    matrices = parameters[parameters["fan_in"] > 0]
    found = matrices.groupby("family", sort=False, as_index=False).first()
    counts = matrices.groupby("family", sort=False).size()
    return found.assign(blocks=found["family"].map(counts))[_MATRICES]


def _growth(growth: pd.DataFrame) -> pd.DataFrame:
    """Streams first; of single modules those that change by more than 2."""
    better = growth[growth["better"]]
    streams = better["place"].str.startswith("stream")
    changing = (better["factor"] > 2.0) | (better["factor"] < 0.5)
    return better[streams | changing].sort_values("place", key=lambda names: ~names.str.startswith("stream"))[_GROWTH]
