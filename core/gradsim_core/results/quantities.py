"""From sums of squares to what is measured: the four logarithms of every network and layer, and its status.

A new quantity is one entry in `QUANTITIES` and one line in `finish`.
"""

from __future__ import annotations

import math

from gradsim_core import jit
from gradsim_core.elementary import log_scaled
from gradsim_core.lanes import LANES, absolute, anywhere, lane_get, load, select, store
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.scaling.per_vector import LOG_LIMIT

QUANTITIES = ("log_delta", "log_weight_grad", "log_q", "log_gain")
DESCRIPTIONS = {
    "log_delta": "ln |delta^l|_2, the backprop error (= the bias gradient)",
    "log_weight_grad": "ln |dC/dW^l|_F",
    "log_q": "ln of the mean square preactivation of layer l",
    "log_gain": "ln of the mean square of delta^l over that of delta^L",
}
ALIVE, DEAD, NON_FINITE = 0, 1, 2


def logarithm(total, exponent):
    """ln(total 2^(2 exponent)): -inf for zero, NaN where it is not finite or not represented."""
    if not anywhere((total < 2.0**-1000) | (total != total) | (total > 2.0**1000) | (absolute(exponent) > 2.0**40)):
        return log_scaled(total, exponent * 2.0)  # as nearly always
    value = log_scaled(select(total > 0.0, total, 1.0), exponent * 2.0)
    value = select(total == 0.0, -math.inf, value)
    valid = (total >= 0.0) & (total < math.inf) & ((value < LOG_LIMIT) & (value > -LOG_LIMIT) | (total == 0.0))
    return select(valid, value, math.nan)


def finish(sums, exponents, depth, log_width, values, first, status):
    """Quantities and status of the networks of a part, which are numbers first, first + 1, .. of a block.

    All flat: sums and exponents (3, count, depth) with room for a vector more, values (4, the block's networks, depth).
    """
    size, stride, start = len(status) * depth, len(values) // 4, first * depth
    for i in range(0, size, LANES):
        delta = logarithm_at(sums, exponents, SUM_DELTA * size + i)
        x, h = logarithm_at(sums, exponents, SUM_X * size + i), logarithm_at(sums, exponents, SUM_H * size + i)
        live = min(size - i, LANES)
        write(values, start + i, 0.5 * delta, live)
        write(values, stride + start + i, 0.5 * (delta + x), live)
        write(values, 2 * stride + start + i, h - log_width, live)
        write(values, 3 * stride + start + i, delta, live)
    for n in range(len(status)):
        status[n] = finish_network(values, start + n * depth, depth, stride)


def logarithm_at(sums, exponents, i):
    """Sixteen logarithms."""
    return logarithm(load(sums, i), load(exponents, i))


def write(values, i, vector, live):
    """The first `live` lanes of a vector."""
    if live == LANES:
        store(values, i, vector)
    else:
        for lane in range(live):
            values[i + lane] = lane_get(vector, lane)


def finish_network(values, start, depth, stride):
    """Turn ln |delta^l|^2 into the gain over the last layer; returns the status."""
    gain = 3 * stride + start
    last = values[gain + depth - 1]
    dead, lost = False, False
    for k in range(depth):
        delta = values[gain + k]
        dead |= delta == -math.inf
        # A dead layer has no gain, whatever the last layer is: 0 / 0 counts as dead too.
        values[gain + k] = delta if delta == -math.inf else delta - last
        total = values[stride + start + k] + values[2 * stride + start + k] + values[gain + k]
        lost |= total != total
    return NON_FINITE if lost else DEAD if dead else ALIVE


jit.register_leaves(__name__, inline=True)
