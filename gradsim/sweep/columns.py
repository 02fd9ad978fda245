"""The axes among the columns of a frame of cells: network axes are there only where a sweep has set them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gradsim.sweep import presets, shapes
from gradsim.sweep.cells import NETWORK_AXES
from gradsim_core.architectures import PLAIN

NUMBERS_OR_NAMES = ("branch_scale", "input_length")
"""Axes of numbers or names."""


def with_network_axes(axes: Sequence[str], columns: Iterable[object]) -> list[str]:
    """Return the network axes among some columns, then the axes given; none twice."""
    there = set(columns) - set(axes)
    return [*(axis for axis in NETWORK_AXES if axis in there), *axes]


def independent_axes(axes: Sequence[str], columns: Iterable[object]) -> list[str]:
    """Return the axes of `with_network_axes` without those that a preset or layers among them stand for."""
    names = with_network_axes(axes, columns)
    dropped = {*(presets.STOOD_FOR if "preset" in names else ()), *(shapes.STOOD_FOR if "layers" in names else ())}
    return [name for name in names if name not in dropped]


def in_columns(value: object) -> object:
    """Return the value of a network axis as it stands in columns: numbers or names are text there."""
    return f"{value:.12g}" if isinstance(value, float) else value


def are_plain(cells: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which cells are of plain networks with one input, which the theory of plain networks is of.

    A preset of a plain network is a choice of its law and its sigmas, which are columns.
    """
    plain = np.ones(len(cells), np.bool_)
    for axis in set(with_network_axes((), cells)) - {"preset"}:
        default = getattr(PLAIN, axis)
        plain &= (cells[axis] == (in_columns(default) if axis in NUMBERS_OR_NAMES else default)).to_numpy(np.bool_)
    return plain
