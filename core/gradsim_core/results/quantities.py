"""The table of quantities: what is recorded of every network and layer, computed from sums of squares.

A new quantity is one row of the table, made by `define`. The kernel, statistics, schemas, datasets and documentation
iterate the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from gradsim_core import jit
from gradsim_core.elementary import log_scaled
from gradsim_core.lanes import LANES, absolute, anywhere, lane_get, load, select, splat, store
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.scaling.per_vector import LOG_LIMIT

ALIVE, DEAD, NON_FINITE = 0.0, 1.0, 2.0
LN = "natural log"


class Logs(NamedTuple):
    """Natural logarithms that a formula may use, for sixteen layers at once; -inf where a vector is exactly zero."""

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
        One phrase, for columns and documentation.
    formula
        Function from `Logs` to the value. It is compiled into the kernel.
    relative
        Whether the value is relative to the last layer. It is undefined in networks with delta^L = 0, which statistics
        then leave out.
    """

    name: str
    unit: str
    description: str
    formula: Callable[[Logs], Any]
    relative: bool = False


QUANTITIES: dict[str, Quantity] = {}


def define(name: str, unit: str, description: str, formula: Callable[[Logs], Any], *, relative: bool = False) -> None:
    """Add a row to the table; its fields are those of `Quantity`. Schemas are built from the table at import."""
    QUANTITIES[name] = Quantity(name, unit, description, formula, relative)
    kernel.cache_clear()


@cache
def kernel():
    """The function from a block's sums of squares to its quantities and status, built from the table."""
    record, quantities = _recorder(tuple(QUANTITIES.values())), len(QUANTITIES)

    def finish(sums, exponents, depth, log_width, values, first, status):
        """Quantities and status of networks first, first + 1, ... of a block.

        All arrays are flat: sums and exponents (3, count, depth), overwritten, with room for one more vector;
        values (quantities, the block's networks, depth).
        """
        size, stride, start = len(status) * depth, len(values) // quantities, first * depth
        for i in range(0, 3 * size, LANES):
            store(sums, i, logarithm(load(sums, i), load(exponents, i)))
        repeat_last(sums, SUM_DELTA * size, depth, exponents, size)
        for i in range(0, size, LANES):
            h2, x2 = load(sums, SUM_H * size + i), load(sums, SUM_X * size + i)
            delta2, last_delta2 = load(sums, SUM_DELTA * size + i), load(exponents, i)
            logs = Logs(h2, x2, delta2, last_delta2, log_width)
            state = select(delta2 == -math.inf, splat(delta2, DEAD), ALIVE)
            store(sums, i, record(values, stride, start + i, logs, min(size - i, LANES), state))
        for n in range(len(status)):
            status[n] = greatest(sums, n * depth, depth)

    return finish


def _recorder(rows: tuple[Quantity, ...]) -> Any:
    """The function that writes sixteen values of each row and returns the states of the layers.

    Numba cannot loop over functions, so the first row calls the others.
    """
    if not rows:
        return nothing
    formula, others = jit.make_closure_compilable(rows[0].formula, rows[0].name, inline=True), _recorder(rows[1:])

    def record(values, stride, i, logs, live, state):
        value = formula(logs)
        write(values, i, value, live)
        return others(values, stride, i + stride, logs, live, select(value != value, NON_FINITE, state))

    return jit.make_closure_compilable(record, *(row.name for row in rows), inline=True)


def nothing(values, stride, i, logs, live, state):
    """The recorder of no rows."""
    return state


def logarithm(total, exponent):
    """ln(total 2^(2 exponent)): -inf for zero, NaN where it is not finite or not represented."""
    if not anywhere((total < 2.0**-1000) | (total != total) | (total > 2.0**1000) | (absolute(exponent) > 2.0**40)):
        return log_scaled(total, exponent * 2.0)  # as nearly always
    value = log_scaled(select(total > 0.0, total, 1.0), exponent * 2.0)
    value = select(total == 0.0, -math.inf, value)
    valid = (total >= 0.0) & (total < math.inf) & ((value < LOG_LIMIT) & (value > -LOG_LIMIT) | (total == 0.0))
    return select(valid, value, math.nan)


def repeat_last(logs, start, depth, out, size):
    """Write the last layer's value of every network at each of its layers."""
    for n in range(0, size, depth):
        last = logs[start + n + depth - 1]
        for k in range(depth):
            out[n + k] = last


def write(values, i, vector, live):
    """The first `live` lanes of a vector."""
    if live == LANES:
        store(values, i, vector)
    else:
        for lane in range(live):
            values[i + lane] = lane_get(vector, lane)


def greatest(values, start, count):
    """The greatest of some values, as an integer."""
    found = values[start]
    for k in range(1, count):
        found = max(found, values[start + k])
    return int(found)


def gain(logs):
    """A dead layer has no gain, whatever the last layer is: 0 / 0 counts as dead too."""
    return select(logs.delta2 == -math.inf, logs.delta2, logs.delta2 - logs.last_delta2)


define("log_delta", LN, "ln |delta^l|_2, the backprop error (= the bias gradient)", lambda logs: 0.5 * logs.delta2)
define("log_weight_grad", LN, "ln |dC/dW^l|_F", lambda logs: 0.5 * (logs.delta2 + logs.x2))
define("log_q", LN, "ln of the mean square preactivation of layer l", lambda logs: logs.h2 - logs.width)
define("log_gain", LN, "ln of the mean square of delta^l over that of delta^L", lambda logs: gain(logs), relative=True)

jit.register_leaves(__name__, inline=True)
