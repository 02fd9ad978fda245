"""Schedules that run sixteen networks side by side, as they are: sixteen threads a group, a thread a network.

Each group in flight has a slot of its own in the arrays; there are as many slots as there are groups in flight, and a
slot takes every so manieth group.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES
from gradsim_core.schedules.conditional import ConditionalWork

from .threads import block_index, block_size, part, thread_index


class Sizes(NamedTuple):
    """How many elements of each array a slot of `ConditionalWork` has."""

    words: int
    vector: int  # z, x, slope: of all layers
    layer: int  # g, h
    few: int
    kept: int
    depth: int


def build_conditional(run_block: Any) -> Any:
    """The kernel of a conditional schedule's block kernel.

    Returns
    -------
    function
        Of (cell, slopes, first group, number of groups, slots, sizes, words, floats, doubles, stored, scales, sums,
        exponents); the last two are (groups, 3, 16, depth).
    """
    run = jit.make_closure_compilable(run_block)

    def kernel(
        cell, slopes, first, groups, slots, sizes, words, floats, doubles, stored, scales, sums, exponents
    ):
        slot = (block_index() * block_size() + thread_index()) // LANES
        numbers = 3 * sizes.vector + 2 * sizes.layer + sizes.few + sizes.kept
        begin = slot * numbers
        z = part(floats, begin, sizes.vector)
        x = part(floats, begin + sizes.vector, sizes.vector)
        slope = part(floats, begin + 2 * sizes.vector, sizes.vector)
        begin += 3 * sizes.vector
        g = part(floats, begin, sizes.layer)
        h = part(floats, begin + sizes.layer, sizes.layer)
        begin += 2 * sizes.layer
        few = part(floats, begin, sizes.few)
        kept = part(floats, begin + sizes.few, sizes.kept)
        lanes = sizes.depth * LANES
        shifts = part(doubles, slot * 7 * lanes, lanes)
        own_sums = part(doubles, slot * 7 * lanes + lanes, 3 * lanes)
        own_exponents = part(doubles, slot * 7 * lanes + 4 * lanes, 3 * lanes)
        work = ConditionalWork(
            part(words, slot * sizes.words, sizes.words), z, x, slope, g, h, few,
            part(stored, slot * sizes.depth, sizes.depth), kept, shifts, own_sums, own_exponents, scales,
        )  # fmt: skip
        for group in range(slot, groups, slots):
            run(cell, slopes, (first + group) * LANES, work, sums[group], exponents[group])

    return kernel


def sizes_of(work: ConditionalWork) -> Sizes:
    """The sizes of a slot, those of the arrays that a thread of the CPU has."""
    return Sizes(len(work.words), len(work.z), len(work.g), len(work.few), len(work.layers), len(work.stored))


def arrays_of(sizes: Sizes, slots: int, dtype: Any) -> tuple[np.ndarray, ...]:
    """The arrays of all slots: words, floats, doubles, stored."""
    numbers = 3 * sizes.vector + 2 * sizes.layer + sizes.few + sizes.kept
    return (
        np.zeros(slots * sizes.words, np.int32), np.zeros(slots * numbers, dtype),
        np.zeros(slots * 7 * sizes.depth * LANES), np.zeros(slots * sizes.depth, np.bool_),
    )  # fmt: skip
