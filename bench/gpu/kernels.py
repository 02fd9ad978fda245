"""Kernels of the benchmark alone: random normals and weights, drawn as the networks' kernels do and only added up."""

from __future__ import annotations

import numpy as np

from gradsim_core import jit
from gradsim_core.cuda.kernels.explicit import quarter_of
from gradsim_core.cuda.kernels.threads import slot_of_thread
from gradsim_core.lanes import LANES, load, splat, store
from gradsim_core.laws import LAWS
from gradsim_core.rng.draws import Source
from gradsim_core.rng.normals import four_normals
from gradsim_core.rng.philox import GROUP_BACKWARD, GROUP_FORWARD, ROLE_WEIGHT, stream, two_counters

_draw = LAWS["gaussian"].draw


def normals_of_layer(cell, group, layer, total):
    """Add the 2 N normals of a layer of sixteen networks, those of `conditional.four_neurons`."""
    forward, backward = stream(layer, GROUP_FORWARD), stream(layer, GROUP_BACKWARD)
    for index in range(-(-cell.width // 4)):
        a, b, c, d, e, f, g, h = two_counters(cell.key, group, forward, index, backward, index)
        z0, z1, z2, z3 = four_normals(a, b, c, d, total)
        g0, g1, g2, g3 = four_normals(e, f, g, h, total)
        total = total + (((z0 + z1) + (z2 + z3)) + ((g0 + g1) + (g2 + g3)))
    return total


def normals(cell, groups, slots, scale, out):
    """Kernel: write to out (slots, 16) the sum of all normals of the groups of a slot."""
    slot = slot_of_thread()
    total = splat(load(out, 0), 0.0)
    for group in range(slot, groups, slots):
        for layer in range(1, cell.depth + 1):
            total = normals_of_layer(cell, group, layer, total)
    store(out, slot * LANES, total * scale)


def weights_of_layer(cell, network, layer, scale, total):
    """Add the N^2 weights of a layer, those of `explicit.multiply`."""
    source, blocks = Source(cell, network, layer, ROLE_WEIGHT), -(-cell.width // LANES)
    for block in range(blocks):
        for quarter in range(-(-cell.width // 4)):
            w0, w1, w2, w3 = quarter_of(_draw, source, scale, quarter, block, blocks)
            total = total + ((w0 + w1) + (w2 + w3))
    return total


def weights(cell, networks, slots, scale, out):
    """Kernel: write to out (slots, 16) the sum of all weights of the networks of a slot, of each row mod 16."""
    slot = slot_of_thread()
    total = splat(load(out, 0), 0.0)
    for network in range(slot, networks, slots):
        for layer in range(1, cell.depth + 1):
            total = weights_of_layer(cell, network, layer, scale, total)
    store(out, slot * LANES, total)


KERNELS = {"normals": normals, "weights": weights}
FLOAT = np.float32

jit.register_leaves(__name__, inline=True)
