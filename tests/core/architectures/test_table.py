"""Which schedule runs a network, and what it says of its work and memory."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim_core.architectures import ARCHITECTURES, PLAIN, Network, choose_schedule, normals
from gradsim_core.architectures.table import program_of
from gradsim_core.laws import resolve_law
from gradsim_core.tapes import schedule as tapes
from gradsim_core.tapes.work import Inputs
from tests.core.architectures.kinds import name_of, options

GAUSSIAN = resolve_law("gaussian")


def test_plain_networks_of_one_input_keep_their_schedules():
    assert choose_schedule("conditional", GAUSSIAN, 4, 64).name == "conditional"
    assert choose_schedule("explicit", GAUSSIAN, 4, 8, network=PLAIN).name == "narrow"
    assert choose_schedule("conditional", GAUSSIAN, 4, 64, network=Network(inputs=2)).name == "tape"


def test_matrices_are_lazy_for_few_rows_alone():
    """Else the bases of 4,096 rows would take minutes for a matrix of 64 x 64; the law is the same."""
    lazy, drawn = (tapes.builder(each, frozenset()) for each in ("conditional", "explicit"))
    chosen = [
        choose_schedule("conditional", GAUSSIAN, 4, 64, network=Network(inputs=n)).build for n in (2, 21, 22, 4096)
    ]
    assert chosen == [lazy, lazy, drawn, drawn]
    assert choose_schedule("explicit", GAUSSIAN, 4, 64, network=Network(inputs=2)).build is drawn
    assert normals(Network(inputs=4096), "conditional", 4, 64) < 1e9


def bytes_of(arrays):
    """Of all arrays in nested tuples."""
    if isinstance(arrays, tuple):
        return sum(map(bytes_of, arrays))
    return arrays.nbytes if isinstance(arrays, np.ndarray) else 0


@pytest.mark.parametrize("network", [*options(), Network("residual2", inputs=600)], ids=name_of)
@pytest.mark.parametrize("matrices", ["conditional", "explicit"])
def test_memory_is_estimated(network, matrices):
    program = program_of(network, tapes.params_of(4, 64))
    found = bytes_of(tapes.work_of(program, Inputs(), np.dtype(np.float32), matrices)[1])
    assert 0.8 * found < 4 * tapes.memory(program, matrices) < 2.0 * found


def test_memory_of_pairs_is_estimated():
    chosen = choose_schedule("conditional", GAUSSIAN, 3, 64, network=Network(inputs=1000), pairs=True)
    found = bytes_of(chosen.allocate(tapes.params_of(3, 64), np.dtype(np.float32), GAUSSIAN)[1])
    assert 0.8 * found < 4 * chosen.memory(GAUSSIAN, 3, 64) < 1.2 * found


@pytest.mark.parametrize("network", list(options()), ids=name_of)
@pytest.mark.parametrize("method", ["conditional", "explicit"])
def test_work_and_memory_are_in_proportion_to_the_depth(network, method):
    """They are found from one and two blocks, so a network of a million blocks is estimated at once."""
    uses = 9 if ARCHITECTURES[network.architecture].tied else 1
    matrices = tapes.matrices_of(method, uses * network.inputs, 48)
    program = program_of(network, tapes.params_of(9, 48))
    chosen = choose_schedule(method, GAUSSIAN, 9, 48, network=network)
    queries = uses * network.inputs if uses > 1 and matrices == "conditional" else 0  # of a tied lazy matrix
    assert normals(network, method, 9, 48) == tapes.normals(program, matrices) + queries**2 * 2 * 48 // 8
    if chosen.name == "tape":
        assert chosen.memory(GAUSSIAN, 9, 48) == tapes.memory(program, matrices)
    assert normals(network, method, 10**6, 48) > 10**5 * normals(network, method, 9, 48) / 2


@pytest.mark.parametrize(
    ("method", "law"), [("radial", "gaussian"), ("conditional", "uniform"), ("explicit", "sparse")]
)
def test_what_no_schedule_runs(method, law):
    with pytest.raises(ValueError, match="no schedule runs residual networks of depth 4"):
        choose_schedule(method, resolve_law(law), 4, 8, network=Network("residual"))
