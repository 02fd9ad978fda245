"""The numbers of neurons of all layers of a sweep, in place of depth and width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradsim.errors import SweepError
from gradsim_core.architectures import PLAIN
from gradsim_core.architectures.network import MOST_LAYERS, MOST_NEURONS, text_of, widths_in

STOOD_FOR = ("depth", "width")
"""What the layers stand for."""

_REMEDY = "Write for example layers = [784, 30, 30, 10]"
ALLOWED = f"a list of 2 to {MOST_LAYERS + 1} whole numbers from 1 to {MOST_NEURONS}: inputs, then neurons of each layer"


def are_given(values: Mapping[str, Any]) -> bool:
    """Whether the keys of a sweep have layers."""
    given = _bare(values.get("layers", PLAIN.layers))
    return not (isinstance(given, str) and given == PLAIN.layers)


def _bare(given: Any) -> Any:
    """A value that may stand alone or be the only one of a list."""
    given = given.tolist() if isinstance(given, np.ndarray) else given
    return given[0] if isinstance(given, (list, tuple)) and len(given) == 1 and isinstance(given[0], str) else given


def layers_text(value: object) -> tuple[str]:
    """Return the only value of the axis, such as ``784-30-10``."""
    given = _bare(value)
    if isinstance(given, str):
        if given == PLAIN.layers:
            return (PLAIN.layers,)
        widths: Any = widths_in(given)
    else:
        widths = tuple(given) if isinstance(given, (list, tuple, range)) else None
    whole = widths is not None and all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in widths)
    if not whole or not 2 <= len(widths) <= MOST_LAYERS + 1 or not 1 <= min(widths) <= max(widths) <= MOST_NEURONS:
        raise SweepError("layers", value, ALLOWED, _REMEDY)
    return (text_of(widths),)


def with_depth_and_width(values: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a sweep; layers give its depth, and as its width the neurons of the widest.

    Raises
    ------
    SweepError
        If the layers are none, or depth or width is given as well.
    """
    if not are_given(values):
        return values
    (text,) = layers_text(values["layers"])
    for axis in STOOD_FOR:
        if axis in values:
            remedy = f"Leave out {axis}, or layers"
            raise SweepError(axis, values[axis], "left out beside layers, which stand for it", remedy)
    widths = widths_in(text) or ()
    return values | {"depth": len(widths) - 1, "width": max(widths[1:])}
