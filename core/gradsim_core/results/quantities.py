"""The table of quantities that are recorded for every network and layer, and the kernel that computes them.

Every quantity is a formula of the sums of squares that the schedules record. A new quantity is one row of the table,
made by `define`; the kernel, statistics, schemas, datasets and documentation iterate the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from gradsim_core import jit
from gradsim_core.elementary import log_scaled
from gradsim_core.lanes import LANES, absolute, anywhere, float_bits, fma, lane_get, load, select, splat, store
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.scaling.per_vector import LOG_LIMIT

ALIVE, DEAD, NON_FINITE = 0.0, 1.0, 2.0
LN = "natural log"


class Logs(NamedTuple):
    """Natural logarithms that a formula may use: vectors of sixteen layers; -inf where h, x or delta is exactly 0."""

    h2: Any
    """ln |h^l|^2."""
    x2: Any
    """ln |x^(l-1)|^2."""
    delta2: Any
    """ln |delta^l|^2."""
    last_delta2: Any
    """ln |delta^L|^2 of the same network."""
    width: float
    """ln N."""


class Quantity(NamedTuple):
    """A row of the table.

    Attributes
    ----------
    name
        Name in the API and in columns.
    unit
        Unit of the values.
    description
        One phrase, used for columns and in the documentation.
    formula
        Function of `Logs` that returns the value. It is compiled into the kernel.
    relative
        Whether the value is relative to the last layer. Then it is undefined for networks with delta^L = 0, and
        statistics leave those out.
    """

    name: str
    unit: str
    description: str
    formula: Callable[[Logs], Any]
    relative: bool = False


QUANTITIES: dict[str, Quantity] = {}


def define(name: str, unit: str, description: str, formula: Callable[[Logs], Any], *, relative: bool = False) -> None:
    """Add a row to the table, with the fields of `Quantity`. Importing `gradsim.dataset` builds schemas from it."""
    QUANTITIES[name] = Quantity(name, unit, description, formula, relative)
    kernel.cache_clear()


@jit.once
def kernel():
    """Build, from the table, the function that turns a block's sums of squares into its quantities and status."""
    record, quantities = recorder(tuple(QUANTITIES.values())), len(QUANTITIES)

    def finish(sums, exponents, depth, log_width, values, first, status):
        """Compute quantities and status of `count` networks of a block, from number `first` of the block on.

        Parameters
        ----------
        sums, exponents : float64 arrays (3, count, depth), flat, with room for one more vector
            Sums of squares in units of 4^exponent, and exponents. Both are overwritten.
        depth : int
        log_width : float
            ln N.
        values : float64 array (quantities, networks of the block, depth), flat
            Receives the quantities.
        first : int
        status : int8 array (count,)
            Receives 0, 1 or 2: live, dead, non-finite.
        """
        size, stride, group = len(status) * depth, len(values) // quantities, LANES * depth
        # Sixteen networks at a time, which are whole vectors and stay in the fastest cache.
        for begin in range(0, size, group):
            end, all_alive = min(begin + group, size), True
            for i in range(SUM_DELTA * size + begin, SUM_DELTA * size + end, 2 * LANES):
                k = i + LANES if i + LANES < SUM_DELTA * size + end else i
                pair = logarithms(load(sums, i), load(exponents, i), load(sums, k), load(exponents, k))
                store(sums, i, pair[0])
                store(sums, k, pair[1])
            repeat_last(sums, depth, exponents, SUM_DELTA * size + begin, end - begin)
            for i in range(begin, end, LANES):
                h, x = SUM_H * size + i, SUM_X * size + i
                h2, x2 = logarithms(load(sums, h), load(exponents, h), load(sums, x), load(exponents, x))
                delta2, last_delta2 = load(sums, SUM_DELTA * size + i), load(exponents, SUM_DELTA * size + i)
                logs = Logs(h2, x2, delta2, last_delta2, log_width)
                state = select(delta2 == -math.inf, splat(delta2, DEAD), ALIVE)
                state = record(values, stride, first * depth + i, logs, min(end - i, LANES), state)
                all_alive = all_alive and not anywhere(state != ALIVE)  # some lanes may lie beyond the last network
                store(sums, SUM_DELTA * size + i, state)
            for n in range(begin // depth, end // depth):
                status[n] = 0 if all_alive else greatest(sums, SUM_DELTA * size + n * depth, depth)

    return finish


def recorder(rows: tuple[Quantity, ...]) -> Any:
    """A function that writes sixteen values of each quantity and returns the state of each layer.

    Numba cannot loop over functions, so the recorder of the first row calls that of the remaining rows.
    """
    if not rows:
        return nothing
    formula, record_rest = jit.make_closure_compilable(rows[0].formula, rows[0].name, inline=True), recorder(rows[1:])

    def record(values, stride, i, logs, live, state):
        value = formula(logs)
        write(values, i, value, live)
        return record_rest(values, stride, i + stride, logs, live, select(value != value, NON_FINITE, state))

    return jit.make_closure_compilable(record, *(row.name for row in rows), inline=True)


def nothing(values, stride, i, logs, live, state):
    """The recorder of no rows."""
    return state


def logarithm(square, exponent):
    """ln(square 4^exponent): -inf for zero, NaN where it is not finite or beyond LOG_LIMIT."""
    if not anywhere((square < 2.0**-1000) | (square != square) | (square > 2.0**1000) | (absolute(exponent) > 2.0**40)):
        return log_scaled(square, exponent * 2.0)  # the usual case
    value = log_scaled(select(square > 0.0, square, 1.0), exponent * 2.0)
    value = select(square == 0.0, -math.inf, value)
    valid = (square >= 0.0) & (square < math.inf) & ((value < LOG_LIMIT) & (value > -LOG_LIMIT) | (square == 0.0))
    return select(valid, value, math.nan)


def logarithms(first, first_exponent, second, second_exponent):
    """`logarithm` of two vectors, with fewer checks in the usual case."""
    # Both are in 2^-511 .. 2^513, so positive and finite, if their bits minus those of 2^-511 are in 0 .. 2^62 - 1.
    outside = ((float_bits(first) - (512 << 52)) | (float_bits(second) - (512 << 52))) >> 62
    far = fma(first_exponent, first_exponent, second_exponent * second_exponent) > 2.0**80
    if anywhere((outside != 0) | far):
        return logarithm(first, first_exponent), logarithm(second, second_exponent)
    return log_scaled(first, first_exponent * 2.0), log_scaled(second, second_exponent * 2.0)


def repeat_last(logs, depth, out, start, size):
    """Write to out[start : start + size], for every layer of a network, what `logs` has there for its last layer."""
    for n in range(start, start + size, depth):
        last = logs[n + depth - 1]
        for k in range(depth):
            out[n + k] = last


def write(values, i, vector, live):
    """Write the first `live` lanes of a vector."""
    if live == LANES:
        store(values, i, vector)
    else:
        for lane in range(live):
            values[i + lane] = lane_get(vector, lane)


def greatest(values, start, count):
    """The greatest of values[start : start + count], as an integer."""
    found = values[start]
    for k in range(1, count):
        found = max(found, values[start + k])
    return int(found)


def gain(logs):
    """ln of |delta^l|^2 over |delta^L|^2; -inf if delta^l is zero, also if delta^L is."""
    return select(logs.delta2 == -math.inf, logs.delta2, logs.delta2 - logs.last_delta2)


define("log_delta", LN, "ln |delta^l|_2, the backprop error (= the bias gradient)", lambda logs: 0.5 * logs.delta2)
define("log_weight_grad", LN, "ln |dC/dW^l|_F", lambda logs: 0.5 * (logs.delta2 + logs.x2))
define("log_q", LN, "ln of the mean square preactivation of layer l", lambda logs: logs.h2 - logs.width)
define("log_gain", LN, "ln of the mean square of delta^l over that of delta^L", lambda logs: gain(logs), relative=True)

jit.register_leaves(__name__, inline=True)
