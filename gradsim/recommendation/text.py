"""A recommendation as text for people, from its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from gradsim.report.text import render
from gradsim.sweep.cells import NETWORK_AXES

_PRESET_COLUMNS = ["preset", "sigma_w", "sigma_b", "law", "decades", "live_share", "dead_fraction"]
_TITLES = {"pytorch": "PyTorch", "flax": "Flax", "keras": "Keras"}


def described(rows: pd.DataFrame, advice: Sequence[str], presets: pd.DataFrame, code: Mapping[str, str]) -> str:
    """Return a recommendation as text: sigma_w and its other names, the spread, advice, the presets, code.

    Parameters
    ----------
    rows
        The recommendation's numbers, and in a second row those of its alternative if it has one.
    advice
        Sentences.
    presets
        What the usual initialisations give.
    code
        Snippets by the name of the framework.
    """
    asked, *others = (row for _, row in rows.iterrows())
    parts = [_heading(asked), _answer(asked), _spread(asked), *(f"* {sentence}" for sentence in advice)]
    for other in others:
        parts += [f"With sigma_b = {other['sigma_b']:g}:", _answer(other), _spread(other)]
    table = render(presets, "table", _PRESET_COLUMNS)
    parts.append(f"The usual initialisations at this depth and width, with the typical gain in decades:\n{table}")
    parts += [f"{_TITLES[name]}:\n\n{_indented(snippet)}" for name, snippet in code.items()]
    return "\n\n".join(filter(None, parts))


def _heading(row: pd.Series) -> str:
    shape = f"depth {row['depth']:,}, width {row['width']:,}"
    kind = "".join(f", {name} {row[name]}" for name in NETWORK_AXES if name in row)
    return f"{row['activation']}{kind}, {shape}, {row['law']} weights, sigma_b {row['sigma_b']:g}"


def _answer(row: pd.Series) -> str:
    if row["reason"] is not None:
        return f"No sigma_w is recommended. {row['reason']}"
    around = f"95 % interval {row['simulated_low']:.6g} to {row['simulated_high']:.6g}"
    lines = [
        ("sigma_w", row["sigma_w"], "times 1/sqrt(fan_in): the standard deviation of a weight"),
        ("std", row["std"], f"sigma_w / sqrt({(row['sigma_w'] / row['std']) ** 2:.0f})"),
        ("PyTorch gain", row["torch_gain"], "of xavier_normal_ and orthogonal_; multiple of Xavier"),
        ("He multiple", row["he_multiple"], "sigma_w / sqrt(2)"),
        ("simulation", row["simulated"], around),
        ("theory", row["theory"], row["theory_source"]),
    ]
    return "\n".join(f"{name:14}{value:<10.6g}{remark}" for name, value, remark in lines if value == value)


def _spread(row: pd.Series) -> str:
    """How networks of other seeds differ."""
    if row["networks"] == 0:
        return ""
    around = f"({_decades(row['decades_low'])} to {_decades(row['decades_high'])})"
    unlucky = _odds(row["vanished"] + row["exploded"], row["networks"])
    if row["unlucky_exact"] == row["unlucky_exact"]:
        unlucky += f", exactly {row['unlucky_exact']:.2g}"
    lines = [
        ("typical gain", f"{_decades(row['decades'])} decades {around}"),
        ("nine of ten", f"from {_decades(row['q05'])} to {_decades(row['q95'])} decades"),
        ("unlucky", f"{unlucky}: the norm changes by more than a decade"),
        ("dead", _odds(row["dead_fraction"], row["networks"])),
    ]
    return (
        f"Gradient norm of layer 1 over that of the last layer, of {row['networks']:,} networks with sigma_w = "
        f"{row['sampled_sigma_w']:g}:\n" + "\n".join(f"{name:14}{text}" for name, text in lines)
    )


def _decades(value: float) -> str:
    """Decades with a sign, and no minus before zero."""
    return f"{round(value, 2) + 0.0:+.2f}"


def _odds(share: float, networks: int) -> str:
    """A share of networks as odds.

    Examples
    --------
    >>> _odds(0.02, 1000), _odds(0.0, 1000), _odds(0.4, 1000), _odds(1.0, 1000)
    ('2 % (1 in 50)', 'none of 1,000', '40 %', '100 %')
    """
    if share == 0.0:
        return f"none of {networks:,}"
    percent = f"{float(f'{100 * share:.2g}'):g} %"
    return f"{percent} (1 in {1 / share:,.0f})" if share < 0.2 else percent


def _indented(code: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in code.splitlines())
