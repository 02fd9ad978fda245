"""Quantities and status from sums of squares on a GPU, by the formulas of `results.quantities`: a thread a network."""

from __future__ import annotations

import math
from collections.abc import Callable

from gradsim_core import jit
from gradsim_core.lanes import LANES, load, maximum, select, splat, store
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X
from gradsim_core.results.quantities import ALIVE, DEAD, QUANTITIES, Logs, logarithm, recorder

from .threads import slot_of_thread


def build() -> Callable[..., None]:
    """The kernel, made from the table of quantities.

    Returns
    -------
    function
        Of (depth, ln N, launch, values, status, counted), where `launch` is that of the networks' kernel. Writes the
        quantities of each group, (quantities, depth, 16), and of each network 0, 1 or 2 as a float: live, dead,
        non-finite. `counted` (2, networks) has 1 for networks that count, else 0: it writes the second row, of those
        that count in relative quantities, from the first.
    """
    record, quantities = recorder(tuple(QUANTITIES.values())), len(QUANTITIES)

    def kernel(depth, log_width, launch, values, status, counted):
        _, slots, sums, exponents, _ = launch
        size = depth * LANES
        for group in range(slot_of_thread(), len(status) // LANES, slots):
            start = group * 3 * size
            last_delta2 = logarithm_at(sums, exponents, start + (SUM_DELTA + 1) * size - LANES)
            worst = splat(last_delta2, ALIVE)
            for i in range(0, size, LANES):
                h2 = logarithm_at(sums, exponents, start + SUM_H * size + i)
                x2 = logarithm_at(sums, exponents, start + SUM_X * size + i)
                delta2 = logarithm_at(sums, exponents, start + SUM_DELTA * size + i)
                state = select(delta2 == -math.inf, splat(delta2, DEAD), ALIVE)
                logs = Logs(h2, x2, delta2, last_delta2, log_width)
                state = record(values, size, group * quantities * size + i, logs, LANES, state)
                worst = maximum(worst, state)
            here = load(counted, group * LANES)
            store(status, group * LANES, worst)
            store(counted, len(status) + group * LANES, select(last_delta2 == -math.inf, splat(here, 0.0), here))

    return kernel


def logarithm_at(sums, exponents, i):
    """ln(square 4^exponent) of sixteen networks."""
    return logarithm(load(sums, i), load(exponents, i))


jit.register_leaves(__name__, inline=True)
