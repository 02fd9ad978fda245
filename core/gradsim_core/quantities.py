"""From sums of squares to what is measured: the four logarithms of every network and layer, and its status.

A new quantity is one entry in `QUANTITIES` and one line in `finish`.
"""

from __future__ import annotations

import math

from .elementary import log_scaled
from .explicit import SUM_DELTA, SUM_H, SUM_X
from .lanes import LANES, load, select, store
from .range_safe import LOG_LIMIT

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
    value = log_scaled(select(total > 0.0, total, 1.0), exponent * 2.0)
    value = select(total == 0.0, -math.inf, value)
    valid = (total >= 0.0) & (total < math.inf) & ((value < LOG_LIMIT) & (value > -LOG_LIMIT) | (total == 0.0))
    return select(valid, value, math.nan)


def take_logarithms(sums, exponents):
    """ln of the sums in place; both one-dimensional, a multiple of 16 long."""
    for i in range(0, len(sums), LANES):
        store(sums, i, logarithm(load(sums, i), load(exponents, i)))


def finish(logs, width, log_width, values, status):
    """The four quantities (4, count, depth) and the status of each network, from the logarithms (3, count, depth)."""
    count, depth = logs.shape[1], logs.shape[2]
    for n in range(count):
        status[n] = ALIVE
        last = logs[SUM_DELTA, n, depth - 1]
        for layer in range(depth):
            delta, h = logs[SUM_DELTA, n, layer], logs[SUM_H, n, layer]
            values[0, n, layer] = 0.5 * delta
            values[1, n, layer] = 0.5 * (delta + logs[SUM_X, n, layer])
            values[2, n, layer] = h - log_width
            # A dead layer has no gain, whatever the last layer is: 0 / 0 counts as dead too.
            values[3, n, layer] = delta if delta == -math.inf else delta - last
            total = values[1, n, layer] + values[2, n, layer] + values[3, n, layer]
            if math.isnan(total):
                status[n] = NON_FINITE
            elif status[n] == ALIVE and delta == -math.inf:
                status[n] = DEAD
