"""Pairs of one name and code, compiled and interpreted: ``python -m tests.core.activations.kept_pairs a b``."""

from __future__ import annotations

import math
import sys

import numpy as np

from gradsim_core.activations import Activation
from gradsim_core.laws import resolve_law
from gradsim_core.simulator import Simulator


def block(scale, interpret):
    mine = Activation("mine", lambda h: math.tanh(scale * h), lambda h: scale / math.cosh(scale * h) ** 2)
    machine = Simulator(mine, resolve_law("gaussian"), "float64", "conditional", interpret=interpret)
    return machine.block(machine.params(1, depth=3, width=4, sigma_w=1.5), 0, 2)[0]


if __name__ == "__main__":
    for words in sys.argv[1:]:
        compiled, interpreted = (block(sum(map(ord, words)) / 1000, interpret) for interpret in (False, True))
        print(words, np.allclose(compiled, interpreted, rtol=0, atol=1e-12))
