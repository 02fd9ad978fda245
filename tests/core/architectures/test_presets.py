"""Presets give every matrix the standard deviation of their source, written here as the sources write it."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.activations import resolve_activation
from gradsim_core.architectures import ARCHITECTURES, PRESETS, Network, choose_schedule
from gradsim_core.architectures.network import matrix_of
from gradsim_core.architectures.table import program_of
from gradsim_core.laws import resolve_law
from gradsim_core.parameters import Params
from gradsim_core.simulator import Simulator

N, DEPTH, INNER = 16, 3, 64
CELL = Params(np.uint64(0), DEPTH, N, 7.0, 0.0)
XAVIER, WIDE = (2 / (N + N)) ** 0.5, (2 / (N + INNER)) ** 0.5
BETA = (8 * DEPTH) ** -0.25

# Standard deviations of queries and keys, values, the projection, into and out of the MLP, in blocks 1, 2 and 3.
TRANSFORMER = {
    "xavier_normal": [(XAVIER, XAVIER, XAVIER, WIDE, WIDE)] * 3,
    "he_normal": [((2 / N) ** 0.5,) * 4 + ((2 / INNER) ** 0.5,)] * 3,
    "lecun_uniform": [((1 / N) ** 0.5,) * 4 + ((1 / INNER) ** 0.5,)] * 3,
    "pytorch_linear": [((1 / 3 / N) ** 0.5,) * 4 + ((1 / 3 / INNER) ** 0.5,)] * 3,
    "gpt2": [(0.02, 0.02, 0.02 / 6**0.5, 0.02, 0.02 / 6**0.5)] * 3,
    "llama": [(0.02, 0.02, 0.02 / (2 * l) ** 0.5, 0.02, 0.02 / (2 * l) ** 0.5) for l in (1, 2, 3)],  # noqa: E741
    "olmo2": [(0.02,) * 5] * 3,
    "depth_scaled": [(N**-0.5, N**-0.5, (6 * N) ** -0.5, (2 / N) ** 0.5, (6 * INNER) ** -0.5)] * 3,
    "deepnorm": [(XAVIER, BETA * XAVIER, BETA * XAVIER, BETA * WIDE, BETA * WIDE)] * 3,
}


def deviations(network):
    program = program_of(network, CELL)
    return np.ldexp(program.deviations, program.powers)


@pytest.mark.parametrize("preset", TRANSFORMER)
def test_transformers(preset):
    found = deviations(Network("transformer", inputs=4, heads=2, preset=preset)).reshape(3, -1)
    right = np.array(TRANSFORMER[preset])
    if found.shape[1] == 4:  # queries, keys and values in one matrix, since they are alike
        assert (right[:, 0] == right[:, 1]).all()
        right = right[:, 1:]
    np.testing.assert_allclose(found, right, rtol=1e-12)


def test_streams_of_one_input():
    """The schedule of streams has the matrices that the tape has; the sum of branches is by blocks."""
    network = Network("residual2", preset="gpt2", expansion=4.0)
    expected = [0.02, 0.02 / DEPTH**0.5]
    np.testing.assert_allclose(deviations(network).reshape(3, 2), [expected] * 3, rtol=1e-12)
    schedule = choose_schedule("conditional", resolve_law("gaussian"), DEPTH, N, network=network)
    work = schedule.allocate(CELL, np.dtype("float64"), resolve_law("gaussian"))
    found = [each.value * 2**each.power for each in (work.first_weight, work.weight)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    by_block = choose_schedule(
        "conditional", resolve_law("gaussian"), DEPTH, N, network=Network("residual2", preset="llama")
    )
    assert by_block.name == "tape"


def test_a_preset_of_a_plain_network_is_its_sigma():
    """Same key, same numbers: the preset has chosen sigma_w already."""
    values = []
    for network in (Network(), Network(preset="he_normal")):
        one = Simulator(resolve_activation("relu"), resolve_law("gaussian"), "float64", "explicit", network=network)
        values.append(one.block(one.params(3, 4, 8, 2**0.5), 0, 16)[0])
    np.testing.assert_array_equal(*values)


def test_every_preset_gives_positive_numbers():
    for preset in PRESETS.values():
        for architecture in preset.architectures or ARCHITECTURES:
            found = deviations(Network(architecture, inputs=2, preset=preset.name))
            assert (found > 0).all()
            network = Network(architecture, preset=preset.name)
            assert preset.sigma_b(matrix_of(network, ARCHITECTURES[architecture].matrices[0], DEPTH, N)) >= 0
