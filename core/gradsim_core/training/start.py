"""Random starts: weights and biases of a law, and the order in which mini-batches take the samples."""

from __future__ import annotations

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned
from gradsim_core.laws import WeightLaw
from gradsim_core.parameters import Params
from gradsim_core.rng.draws import AHEAD, Source, fill_drawn
from gradsim_core.rng.philox import ROLE_BIAS, ROLE_ORDER, ROLE_WEIGHT, fill_words, stream

from .layout import Network, views

COUNTER = 4 * LANES  # numbers made from one counter


def build(draw):
    """The kernel that fills `out`, of whole counters, with numbers of a law."""

    def draw_numbers(source, scale, words, out):
        fill_drawn(draw, source, len(out) // COUNTER, out[0] * 0 + scale, words, out, 0)

    return draw_numbers


@jit.once
def _kernel(draw):
    return jit.compile_kernel(build(draw))


def numbers(law: WeightLaw, key: int, network: int, layer: int, role: int, count: int) -> np.ndarray:
    """Draw `count` numbers of a law with variance 1, in float64; a float32 run rounds them.

    The counters are those of (network, layer, role) under the 64-bit key; see `rng.philox`.
    """
    cell = Params(np.uint64(key), 0, 0, 1.0, 0.0, 0.0, float(law.value))
    out, words = aligned(-(-count // COUNTER) * COUNTER, np.float64), aligned(AHEAD * COUNTER, np.int32)
    _kernel(law.draw)(Source(cell, network, layer, role), law.spread, words, out)
    return out[:count]


def draw_start(
    net: Network, law: WeightLaw, deviations: np.ndarray, key: int, replica: int, parameters: np.ndarray
) -> None:
    """Draw the parameters of one replica. Gains are 1.

    Parameters
    ----------
    net : Network
    law : WeightLaw
        Of weights and biases.
    deviations : float array (L, 2)
        Standard deviation of the weights and of the biases of each layer.
    key : int
        64-bit key of the random numbers.
    replica : int
        Takes the place of the network in the counters.
    parameters : float array (parameters,)
        Overwritten.
    """
    parameters[:] = 0
    for layer, (weights, biases, gains) in enumerate(views(net, parameters), start=1):
        deviation_w, deviation_b = deviations[layer - 1]
        weights[:] = deviation_w * numbers(law, key, replica, layer, ROLE_WEIGHT, weights.size).reshape(weights.shape)
        biases[:] = deviation_b * numbers(law, key, replica, layer, ROLE_BIAS, biases.size)
        gains[:] = 1


def shuffled(key: int, replica: int, epoch: int, samples: int) -> np.ndarray:
    """A random permutation of the samples, int64 (samples,): the order in which a replica takes them in an epoch."""
    words = aligned(-(-2 * samples // COUNTER) * COUNTER, np.int32)
    jit.compiled(fill_words)(np.uint64(key), replica, stream(epoch, ROLE_ORDER), 0, len(words) // COUNTER, 1, words)
    return np.argsort(words[: 2 * samples].view(np.int64), kind="stable")
