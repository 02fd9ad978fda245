"""`gs.simulate` and `gs.weights`."""

from __future__ import annotations

import math

import numpy as np
import pytest

import gradsim as gs
from gradsim.errors import SweepError
from tests import naive

CELL = {"activation": "tanh", "sigma_w": 1.5, "sigma_b": 0.3, "depth": 6, "width": 9, "dtype": "float64"}


def test_shapes_and_quantities():
    ens = gs.simulate(**CELL, networks=50, seed=3)
    assert ens.log_delta.shape == ens.log_weight_grad.shape == ens.log_q.shape == ens.log_gain.shape == (50, 6)
    assert ens.log_delta.dtype == np.float64
    assert ens.status.dtype == np.int8
    assert not ens.status.any()
    np.testing.assert_allclose(ens.log_gain, 2 * (ens.log_delta - ens.log_delta[:, -1:]), atol=1e-13)


def test_weights_are_the_simulated_ones():
    ens = gs.simulate(**CELL, networks=8, seed=3)
    w = gs.weights(network=5, **CELL, seed=3)
    assert (w.x0.shape, w.W.shape, w.b.shape, w.v.shape) == ((9,), (6, 9, 9), (6, 9), (9,))
    expected = naive.quantities("tanh", *w)
    for got, wanted in zip(ens[:4], expected, strict=True):
        np.testing.assert_allclose(got[5], wanted, rtol=0, atol=1e-12)


def test_weights_take_the_same_keywords_as_simulate():
    cell = {**CELL, "networks": 100, "threads": 2, "device": "cpu", "seed": 3}
    np.testing.assert_array_equal(gs.weights(network=2, **cell).W, gs.weights(2, **CELL, seed=3).W)


@pytest.mark.parametrize("function", [gs.simulate, gs.weights])
def test_a_network_larger_than_memory(function):
    """More bytes than a process has addresses for: an error that names the remedy."""
    with pytest.raises(SweepError, match=r"fits in memory.*conditional"):
        function(width=2**20, depth=1000, networks=1)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_change_nothing(threads, monkeypatch):
    expected = gs.simulate(**CELL, networks=333, threads=1)
    monkeypatch.setattr("gradsim.simulation.blocks.BLOCK_NORMALS", 7 * 6 * 81)
    for got, wanted in zip(gs.simulate(**CELL, networks=333, threads=threads), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_more_networks_change_no_earlier_number():
    few, many = gs.simulate(**CELL, networks=10), gs.simulate(**CELL, networks=40)
    np.testing.assert_array_equal(few.log_delta, many.log_delta[:10])


def test_cells_have_their_own_random_numbers():
    base = gs.simulate(**CELL, networks=4).log_delta
    for change in ({"seed": 2}, {"sigma_w": 1.6}, {"depth": 7}, {"width": 10}, {"sigma_b": 0.31}, {"law": "uniform"}):
        other = gs.simulate(**{**CELL, **change}, networks=4).log_delta
        assert not np.isclose(other[:, 0], base[:, 0]).any()


def test_precision_does_not_change_the_networks():
    single = gs.simulate(**{**CELL, "dtype": "float32"}, networks=20)
    np.testing.assert_allclose(single.log_delta, gs.simulate(**CELL, networks=20).log_delta, rtol=0, atol=1e-5)


def test_own_activation():
    mine = gs.Activation("mine", lambda h: math.atan(h), lambda h: 1.0 / (1.0 + h * h))
    ens = gs.simulate(activation=mine, sigma_w=1.2, depth=5, width=7, networks=3, dtype="float64")
    w = gs.weights(1, activation=mine, sigma_w=1.2, depth=5, width=7, dtype="float64")
    x, h = w.x0, []
    for layer in range(5):
        h.append(w.W[layer] @ x)
        x = np.arctan(h[-1])
    delta = w.v / (1 + h[-1] ** 2)
    for layer in range(3, -1, -1):
        delta = (w.W[layer + 1].T @ delta) / (1 + h[layer] ** 2)
    assert ens.log_delta[1, 0] == pytest.approx(np.log(np.linalg.norm(delta)), abs=1e-12)


def test_own_activation_cannot_take_a_name_of_the_table():
    with pytest.raises(SweepError, match="tanh"):
        gs.simulate(activation=gs.Activation("tanh", lambda h: h, lambda h: 1.0), sigma_w=1.0, depth=2, width=3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"activation": "tan"}, "tanh"),
        ({"law": "gausian"}, "gaussian"),
        ({"sigma_w": 0}, "> 0"),
        ({"sigma_w": float("nan")}, "finite"),
        ({"sigma_b": -1}, ">= 0"),
        ({"depth": 0}, "depth"),
        ({"width": 0}, "width"),
        ({"networks": 0}, "networks"),
        ({"seed": -1}, "seed"),
        ({"dtype": "float16"}, "float32"),
        ({"method": "magic"}, "explicit"),
        ({"device": "tpu"}, "cpu"),
        ({"threads": 0}, "threads"),
        ({"sigma_w": [1.0, 2.0]}, "one cell"),
    ],
)
def test_bad_values(change, words):
    with pytest.raises(SweepError, match=words):
        gs.simulate(**{**CELL, "networks": 2, **change})


@pytest.mark.parametrize("network", [-1, 2**48, 1.5, True])
def test_bad_network(network):
    with pytest.raises(SweepError, match="network"):
        gs.weights(network, **CELL)


def test_own_activation_from_numpy_functions():
    mine = gs.Activation("numpy_tanh", np.tanh, lambda h: 1 / np.cosh(h) ** 2)
    cell = {**CELL, "sigma_b": 0.0}
    own, table = (gs.simulate(**{**cell, "activation": one}, networks=1).log_q for one in (mine, "tanh"))
    assert own.shape == table.shape
    assert np.isfinite(own).all()


def test_own_activation_must_be_functions():
    with pytest.raises(TypeError, match="function of one number"):
        gs.Activation("mine", 1, lambda h: 1.0)


def test_star_import_leaves_open_alone():
    names: dict[str, object] = {}
    exec("from gradsim import *", names)
    assert "simulate" in names
    assert "open" not in names


def test_an_ensemble_is_shown_in_a_line():
    assert repr(gs.simulate(**CELL, networks=50)) == "Ensemble(networks=50, depth=6, dead=0, nonfinite=0)"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device", np.array(["cpu", "cpu"])),
        ("method", np.array(["explicit", "conditional"])),
        ("sigma_w", np.ma.array([1.0], mask=[True])),
        ("sigma_b", np.ma.masked),
        ("depth", [4, np.ma.masked]),
        ("networks", 2**48),
    ],
)
def test_arrays_and_masks_and_amounts_are_refused(field, value):
    with pytest.raises(SweepError, match=field):
        gs.simulate(**{**CELL, "depth": 2**19, field: value})


def test_weights_refuse_an_array_of_methods():
    with pytest.raises(SweepError, match="method"):
        gs.weights(**CELL, method=np.array(["explicit", "conditional"]))


def test_all_networks_not_finite_is_said_with_the_cause(monkeypatch):
    lost = np.full((4, 3, 6), np.nan), np.full(3, 2, np.int8)
    monkeypatch.setattr("gradsim.simulation.blocks.run_block", lambda *_: lost)
    with pytest.warns(UserWarning, match="All networks are not finite: phi or dphi of tanh") as caught:
        ens = gs.simulate(**CELL, networks=3)
    assert len(caught) == 1
    assert repr(ens) == "Ensemble(networks=3, depth=6, dead=0, nonfinite=3)"
