"""One point of a sweep, and the key of its random numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from gradsim_core.architectures import PLAIN, Network

NETWORK_AXES = Network._fields
"""Axes that say which kind of network it is (see `sweep.networks`)."""

_DEFAULTS: dict[str, Any] = {"law": "gaussian", "sigma_b": 0.0, **PLAIN._asdict()}
"""Physics left out of the key at these values, so that a later axis changes no number of today's cells."""

FILE_MARK = "#"
"""Stands between the name of a file of inputs and the digest of its numbers."""

canonical_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
"""JSON text with sorted keys and no spaces: equal content gives equal text."""


class Cell(NamedTuple):
    """One combination of a sweep's axes: ``activation`` and ``law`` as canonical names, and the fields of `Network`."""

    cell_id: int
    activation: str
    law: str
    sigma_w: float
    sigma_b: float
    depth: int
    width: int
    architecture: str = PLAIN.architecture
    inputs: int = PLAIN.inputs
    input_correlation: float = PLAIN.input_correlation
    normalisation: str = PLAIN.normalisation
    placement: str = PLAIN.placement
    branch_scale: float | str = PLAIN.branch_scale
    heads: int = PLAIN.heads
    causal: bool = PLAIN.causal
    scores: str = PLAIN.scores
    gated: bool = PLAIN.gated
    expansion: float = PLAIN.expansion
    preset: str = PLAIN.preset
    cost: str = PLAIN.cost
    outputs: int = PLAIN.outputs
    sigma_u: float = PLAIN.sigma_u
    taps: int = PLAIN.taps
    differences: bool = PLAIN.differences
    layers: str = PLAIN.layers
    input_length: float | str = PLAIN.input_length
    input_file: str = PLAIN.input_file
    embedding: str = PLAIN.embedding
    vocabulary: int = PLAIN.vocabulary
    sigma_embedding: float = PLAIN.sigma_embedding

    @property
    def network(self) -> Network:
        """The kind of network."""
        return Network._make(self[-len(NETWORK_AXES) :])

    def __repr__(self) -> str:
        """Leave out what is at its default."""
        shown = {name: value for name, value in self._asdict().items() if name not in NETWORK_AXES}
        shown |= {name: value for name, value in self.network._asdict().items() if value != getattr(PLAIN, name)}
        return f"Cell({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def network_axes_of(columns: Iterable[str]) -> list[str]:
    """Return the names of the network axes among some columns: a frame has those that a sweep has set."""
    return [axis for axis in NETWORK_AXES if axis in columns]


def digest_in(input_file: str) -> str:
    """Return the digest of a file of inputs without its name: where it lies makes no other network."""
    return input_file.rpartition(FILE_MARK)[2]


def round12(value: float) -> float:
    """Return the value at 12 significant digits: the precision at which a sweep and its keys see floats."""
    return float(f"{value:.12g}") + 0.0  # + 0.0 turns -0.0 into 0.0


def cell_key(cell: Cell, seed: int) -> int:
    """Return the 64-bit key of a cell's random numbers.

    It is the first 8 bytes (big endian) of the SHA-256 of the canonical JSON of the seed and the cell's
    physics. Law, sigma_b and the network axes are left out at their default; cell_id, the number of networks and how
    a run is executed are not part of it. So the same cell gives the same networks in every sweep.

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
        **cell.network._asdict(),
        "activation": cell.activation,
        "law": cell.law,
        "sigma_w": round12(cell.sigma_w),
        "sigma_b": round12(cell.sigma_b),
        "depth": int(cell.depth),
        "width": int(cell.width),
        "seed": int(seed),
    }
    physics["input_file"] = digest_in(cell.input_file)
    for name, default in _DEFAULTS.items():
        if physics[name] == default:
            del physics[name]
    return int.from_bytes(hashlib.sha256(canonical_json(physics).encode()).digest()[:8], "big")
