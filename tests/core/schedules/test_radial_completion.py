"""Residual networks of the radial sampler, completed to explicit weights: back-propagation gives the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.activations import resolve_activation
from gradsim_core.laws import resolve_law
from gradsim_core.parameters import SUM_H
from gradsim_core.schedules.radial_streams.backward import read_out
from gradsim_core.schedules.radial_streams.forward import draw_input
from gradsim_core.schedules.radial_streams.numbers import (
    ACROSS,
    ALONG,
    IN_PLANE,
    ITEMS,
    NEGATIVE,
    OF_BIAS,
    OUTSIDE_NEGATIVE,
    OUTSIDE_POSITIVE,
    POSITIVE,
    SPREAD,
    SPREAD_REST,
    TURN,
    TURN_REST,
)
from gradsim_core.simulator import Simulator
from tests.core.schedules.completed_residual import Completion
from tests.core.schedules.residual_reference import Kind, propagate
from tests.core.schedules.test_radial_streams import CASES, name_of, network_of


def drawn(kind):
    """Of sixteen networks: what the kernel kept, lengths of the stream, readouts beside it, and quantities."""
    words = resolve_activation(f"leaky_relu({kind.below:g})"), resolve_law("gaussian"), "float64", "radial"
    each = Simulator(*words, network=network_of(kind))
    cell = each.params(7, kind.depth, kind.width, kind.sigma_w, kind.sigma_b)
    work = each.schedule(cell).allocate(cell, np.dtype("float64"), each.law)
    sums = np.zeros((2, 3, 16, kind.depth))
    each._run(cell, 0, work, *sums)
    assert not sums[1].any()
    kept = work.numbers.reshape(kind.depth + 2, ITEMS, 16)
    raw = work._replace(form=work.form._replace(before=False))  # the readout itself, not through a norm
    (length, _), (along, across, _) = draw_input(cell, 0, raw, raw.zero), read_out(cell, 0, kind.depth, raw, raw.zero)
    lengths = np.concatenate([length[None], np.sqrt(sums[0][SUM_H].T)])
    return kept, lengths, np.array([along, np.sqrt(across)]), each.block(cell, 0, 16)[0]


def largest_difference(kind, kept, lengths, readouts, values):
    """Between the kernel and back-propagation through explicit weights that do what the kernel has drawn."""
    rng, largest = np.random.default_rng(3), 0.0
    for i in range(16):
        one = Completion(rng, kind, kept[:, :, i], lengths[:, i], readouts[:, i])
        weights = [tuple(part[None] for part in block) for block in one.weights]
        found = propagate(kind, one.x[None], weights, one.readout[None])[0][:, 0]
        same = found == values[:, i]  # the logarithms of 0, too
        largest = max(largest, np.abs(np.where(same, 0.0, found) - np.where(same, 0.0, values[:, i])).max())
    return largest


@pytest.mark.parametrize("kind", CASES, ids=name_of)
def test_a_completed_network_has_the_numbers_of_the_kernel(kind):
    assert largest_difference(kind, *drawn(kind)) < 1e-10


def test_one_percent_of_any_number_is_seen_in_a_completed_network():
    kind = Kind(4, 6, 4, below=0.3, sigma_b=0.3)
    kept, *others = drawn(kind)
    for number in (POSITIVE, NEGATIVE, ALONG, ACROSS, TURN, TURN_REST, SPREAD, SPREAD_REST, IN_PLANE, OUTSIDE_POSITIVE,
                   OUTSIDE_NEGATIVE, OF_BIAS):  # fmt: skip
        changed = kept.copy()
        changed[:, number] *= 1.01
        assert largest_difference(kind, changed, *others) > 1e-4
