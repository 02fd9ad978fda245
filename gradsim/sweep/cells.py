"""One point of a sweep, and the key of its random numbers."""

from __future__ import annotations

import hashlib
import json
from typing import NamedTuple

_DEFAULTS = {"law": "gaussian", "sigma_b": 0.0}
"""Physics left out of the key at these values, so that a later axis changes no number of today's cells."""

canonical_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
"""JSON text with sorted keys and no spaces: equal content gives equal text."""


class Cell(NamedTuple):
    """One combination of a sweep's axes. ``activation`` and ``law`` are canonical names."""

    cell_id: int
    activation: str
    law: str
    sigma_w: float
    sigma_b: float
    depth: int
    width: int


def round12(value: float) -> float:
    """Return the value at 12 significant digits: the precision at which a sweep and its keys see floats."""
    return float(f"{value:.12g}") + 0.0  # + 0.0 turns -0.0 into 0.0


def cell_key(cell: Cell, seed: int) -> int:
    """Return the 64-bit key of a cell's random numbers.

    It is the first 8 bytes (big endian) of the SHA-256 of the canonical JSON of the seed and the cell's
    physics. Law and sigma_b are left out at their default; cell_id, the number of networks and how a run is
    executed are not part of it. So the same cell gives the same networks in every sweep.

    Parameters
    ----------
    cell
        The cell; 1 and 1.0 are the same sigma.
    seed
        The sweep's seed.

    Returns
    -------
    int
        From 0 to 2^64 - 1.
    """
    physics: dict[str, str | int | float] = {
        "activation": cell.activation,
        "law": cell.law,
        "sigma_w": round12(cell.sigma_w),
        "sigma_b": round12(cell.sigma_b),
        "depth": int(cell.depth),
        "width": int(cell.width),
        "seed": int(seed),
    }
    for name, default in _DEFAULTS.items():
        if physics[name] == default:
            del physics[name]
    return int.from_bytes(hashlib.sha256(canonical_json(physics).encode()).digest()[:8], "big")
