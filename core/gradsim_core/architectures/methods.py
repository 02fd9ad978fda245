"""The table of methods: the ways of sampling the gradients of random networks, all with the same law.

The explicit method draws all weights; the conditional one W x and W^T delta; the radial one only lengths of vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from gradsim_core.activations import ACTIVATIONS
from gradsim_core.laws import WeightLaw


class Method(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    name
        Name in sweeps.
    serves
        (activation, law) -> whether it can sample such networks.
    needs
        What it serves, as the remainder of a sentence that begins with its name; with the reason.
    normals
        width -> random normals drawn per layer: the measure of work.
    cost
        Time of one of them, relative to the explicit method.
    """

    name: str
    serves: Callable[[Any, WeightLaw], bool]
    needs: str
    normals: Callable[[int], int]
    cost: float


_HOMOGENEOUS = ", ".join(name for name, row in ACTIVATIONS.items() if row.homogeneous)

METHODS = {
    row.name: row
    for row in (
        Method("explicit", lambda activation, law: True, "for all networks", lambda n: n * n, 1.0),
        Method(
            "conditional",
            lambda activation, law: law.conditional,
            "for gaussian and orthogonal weights: only theirs have a known law given W x and W^T delta",
            lambda n: 2 * n,
            1.4,
        ),
        Method(
            "radial",
            lambda activation, law: law.conditional and activation.homogeneous,
            f"for {_HOMOGENEOUS} with gaussian or orthogonal "
            "weights: only there do the lengths of vectors and the number of positive elements have a law of their own",
            lambda n: 32,  # as much time as the conditional method takes for so many
            1.4,
        ),
    )
}
"""All methods, by name."""
