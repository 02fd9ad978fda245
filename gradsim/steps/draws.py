"""Random numbers of the networks of a block: pure functions of the key, the network, and what they are for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradsim_core.rng.philox import (
    EXPLICIT_STEPS,
    STEPS_BACKWARD,
    STEPS_BIAS,
    STEPS_FORWARD,
    STEPS_INPUT,
    STEPS_READOUT,
    STEPS_TARGET,
    STEPS_WEIGHT,
)
from gradsim_core.stepping.normals import normal_rows

ROLES = {
    "input": STEPS_INPUT, "target": STEPS_TARGET, "readout": STEPS_READOUT, "bias": STEPS_BIAS,
    "weight": STEPS_WEIGHT, "forward": STEPS_FORWARD, "backward": STEPS_BACKWARD,
}  # fmt: skip


class Draws(NamedTuple):
    """Standard normals of some networks.

    Attributes
    ----------
    key
        64 bits.
    networks
        Their numbers.
    explicit
        Whether the method is the explicit one, whose networks are independent of those of the conditional one.
    dtype
        Precision.
    """

    key: int
    networks: range
    explicit: bool
    dtype: np.dtype[np.floating]

    def source(self, role: str, layer: int) -> tuple[int, int, int, int]:
        """Return key, first network, layer and the code of a role, as kernels take them."""
        return self.key, self.networks.start, layer, ROLES[role] + EXPLICIT_STEPS * self.explicit

    def rows(self, role: str, layer: int, first: int, count: int, n: int) -> NDArray[np.floating]:
        """Return rows first .. first + count - 1 of n normals of each network: (networks, count, n)."""
        code = self.source(role, layer)[-1]
        return normal_rows(self.key, self.networks, layer, code, range(first, first + count), n, self.dtype)
