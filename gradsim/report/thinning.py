"""A few of many: cells, layers and ticks, evenly spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def spread_evenly(items: Sequence[Any], most: int) -> list[Any]:
    """Return at most so many of the items, evenly spread, with the first and the last."""
    places = np.unique(np.linspace(0, len(items) - 1, min(len(items), most)).round().astype(int))
    return [items[int(place)] for place in places] if len(items) else []
