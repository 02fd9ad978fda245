"""Layers of different widths in place of depth and width."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gradsim as gs
from gradsim.errors import SweepError

VALUES = {"activation": "relu", "sigma_w": 1.4, "networks": 30, "seed": 1}


def test_layers_stand_for_depth_and_width(tmp_path):
    sweep = gs.Sweep(**VALUES, layers=[20, 7, 5, 3])
    assert (sweep.depth, sweep.width, sweep.layers) == ((3,), (7,), ("20-7-5-3",))
    assert "depth" not in sweep.to_toml()
    (tmp_path / "a.toml").write_text(sweep.to_toml())
    assert gs.Sweep.from_toml(tmp_path / "a.toml") == sweep == gs.Sweep(**VALUES, layers="20-7-5-3")
    assert gs.Sweep.from_stored_text(sweep.stored_text().encode(), "a") == sweep
    assert sweep.replace(networks=5).layers == sweep.layers
    assert sweep.replace(layers=[4, 2]).depth == (1,)
    assert sweep.replace(layers="", depth=4, width=8).network_axes == ()
    assert sweep.cells()[0].layers == "20-7-5-3"


@pytest.mark.parametrize(
    "given", [[3], [3, 0], "3-x", "3--4", [3.5, 2], 7, [True, 2], [2**21, 2], [[3, 4], [5, 6]], None]
)
def test_what_are_no_layers(given):
    with pytest.raises(SweepError, match=r"Write for example layers = \[784, 30, 30, 10\]"):
        gs.Sweep(**VALUES, layers=given)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"depth": 3}, "depth = 3.*beside layers"),
        ({"width": 8}, "width = 8.*beside layers"),
        ({"architecture": "residual"}, "plain"),
        ({"method": "radial"}, "radial"),
    ],
)
def test_combinations_without_sense(values, match):
    with pytest.raises(SweepError, match=match):
        gs.Sweep(**VALUES, layers=[20, 7, 3], **values)


def test_equal_layers_have_the_laws_of_depth_and_width():
    """Means of the logarithms of 4,000 networks a side: false alarm 1e-5, a factor of 1.1 is 9 standard errors."""
    options = {"networks": 4000, "method": "conditional"}
    a = gs.simulate("tanh", 1.3, 0.2, layers=[24] * 4, **options)
    b = gs.simulate("tanh", 1.3, 0.2, depth=3, width=24, **options)
    for name in ("log_q", "log_delta", "log_weight_grad", "log_gain"):
        x, y = getattr(a, name), getattr(b, name)
        error = np.sqrt((x.var(0) + y.var(0)) / 4000)
        assert (np.abs(x.mean(0) - y.mean(0)) <= 4.9 * error).all(), name


def test_squares_of_a_narrowing_network():
    """E q^l and E of the mean square of delta, exactly: sigma_w^(2 l), and a factor fan_out / fan_in backward."""
    widths, networks = (18, 30, 12, 6), 20_000
    found = gs.simulate("linear", 0.8, layers=widths, networks=networks, method="conditional")
    for values, expected in (
        (np.exp(found.log_q), 0.64 ** np.arange(1, 4)),
        (np.exp(2 * found.log_delta), 0.64 ** np.arange(2, -1, -1)),
        (np.exp(found.log_gain + 2 * found.log_delta[:, -1:]) / 6, 0.64 ** np.arange(2, -1, -1) / widths[1:]),
        (np.exp(2 * found.log_weight_grad), 0.64**2 * np.array(widths[:-1])),
    ):
        error = values.std(0) / np.sqrt(networks)
        assert (np.abs(values.mean(0) - expected) < 4.5 * error).all()


def test_presets_know_the_fans_of_each_layer():
    from gradsim_core.architectures import Network
    from gradsim_core.architectures.network import sigma_of

    network = Network(layers="784-30-10", preset="xavier_normal")
    found = [sigma_of(network, "hidden", 2, 30, block) for block in (1, 2)]
    np.testing.assert_allclose(found, [np.sqrt(2 * 784 / 814), np.sqrt(2 * 30 / 40)])


def test_presets_know_the_biases_of_each_layer():
    """Those of torch.nn.Linear have the standard deviation 1 / sqrt(3 fan_in) of their own matrix."""
    options = {"layers": [2000, 4, 12, 3], "inputs": 2, "input_length": 1e-6, "networks": 4000, "method": "explicit"}
    found = np.exp(gs.simulate("tanh", preset="pytorch_linear", **options).log_q[:, 1:])
    h, weights = np.polynomial.hermite_e.hermegauss(40)
    square = np.average(np.tanh(h / np.sqrt(12.0)) ** 2, weights=weights)  # the input adds nothing to speak of
    error = found.std(0) / np.sqrt(len(found))
    assert (np.abs(found.mean(0) - [1 / 12, square / 3 + 1 / 36]) < 4.5 * error).all()


@pytest.mark.parametrize("given", [[], (), np.array([]), pd.Series([3, 2])])
def test_empty_lists_and_others_than_lists_are_refused(given):
    with pytest.raises(SweepError, match="layers") as caught:
        gs.simulate("relu", 1.4, layers=given)
    assert caught.value.field == "layers"


@pytest.mark.parametrize(
    "values", [{"layers": [4, 3, 2], "sigma_w": 1.4}, {"preset": "he_normal", "depth": 2, "width": 3}]
)
def test_the_text_of_a_sweep_can_be_evaluated(values):
    sweep = gs.Sweep(activation="relu", networks=3, seed=1, **values)
    assert eval(repr(sweep), {"Sweep": gs.Sweep}) == sweep
