"""How to add an activation: its functions and one row, and everything else follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import gradsim as gs
from gradsim.cli import main
from gradsim.errors import SweepError
from gradsim_core import jit
from gradsim_core.activations import ACTIVATIONS
from gradsim_core.activations.table import define, positive
from gradsim_core.elementary import exp, log, log1p, tanh, tanh_derivative
from gradsim_core.lanes import absolute, splat
from tests import naive
from tests.kernel_cache import kernel_cache

NAME = "scaled_tanh(0.7)"
CELL = {"activation": NAME, "sigma_w": 1.8, "sigma_b": 0.2, "depth": 5, "width": 6, "seed": 3}


def scaled_tanh(h, scale):
    return tanh(h * scale)


def scaled_tanh_derivative(h, scale):
    return tanh_derivative(h * scale) * scale


def log_scaled_tanh_derivative(h, scale):
    size = absolute(h * scale)
    return log(splat(h, 4.0 * scale)) - 2.0 * size - 2.0 * log1p(exp(size * -2.0))


@pytest.fixture(scope="module")
def shared_kernels(tmp_path_factory):
    """What serves every activation comes from the cache of all, as the row's kernels do not."""
    for function in (scaled_tanh, scaled_tanh_derivative, log_scaled_tanh_derivative):
        jit.make_compilable(function)
    cell = {**CELL, "activation": "tanh"}
    gs.weights(0, **cell)
    gs.run(gs.Sweep(**cell, networks=2), tmp_path_factory.mktemp("run") / "tanh", progress="none", threads=1)


@pytest.fixture(autouse=True)
def added(monkeypatch, shared_kernels):
    """The row, for one test.

    In `activations/` the last line of the file, ``jit.register_leaves(__name__, inline=True)``, makes its functions
    compilable, and the hash of the core's sources covers them. Here both need a substitute: the kernels of this row go
    to a cache of their own.
    """
    folder = kernel_cache(Path(__file__))
    jit.load_numba()
    monkeypatch.setattr("gradsim_core.caching.kernels.cache_directory", lambda: folder)
    define(
        "scaled_tanh",
        scaled_tanh,
        scaled_tanh_derivative,
        alpha=1.0,
        parameter="scale",
        accepts=positive,
        allowed="a number > 0",
        slope_zero=lambda scale: (scale, scale),
        slope_inf=(0, 0),
        log_dphi=log_scaled_tanh_derivative,
        formula="tanh(scale h)",
    )
    pair = lambda h: np.tanh(0.7 * h), lambda h: 0.7 / np.cosh(0.7 * h) ** 2
    monkeypatch.setitem(naive.PHI, NAME, pair)
    yield
    del ACTIVATIONS["scaled_tanh"]


@pytest.mark.parametrize(
    ("dtype", "bound"), [("float32", 1e-5), pytest.param("float64", 1e-12, marks=pytest.mark.verify)]
)
def test_simulation_is_that_of_the_oracle(dtype, bound):
    ens = gs.simulate(**CELL, networks=20, dtype=dtype)
    for network in range(20):
        expected = naive.quantities(NAME, *gs.weights(network, **CELL, dtype=dtype))
        for found, exactly in zip(ens[:4], expected, strict=True):
            np.testing.assert_allclose(found[network], exactly, rtol=bound, atol=bound)


def test_it_is_safe_in_any_range():
    """Slopes and tail are the row's: neither a layer of 1e-20 nor a saturated one is lost."""
    for sigma_w in (1e-3, 1e3):
        ens = gs.simulate(**{**CELL, "sigma_w": sigma_w, "sigma_b": 0.0, "depth": 12}, networks=20)
        assert not ens.status.any()
        assert np.isfinite(ens.log_delta).all()


def test_a_wrong_parameter_is_refused_in_the_words_of_the_row():
    for call in (
        lambda name: gs.simulate(**{**CELL, "activation": name}, networks=1),
        lambda name: gs.Sweep(**{**CELL, "activation": name}, networks=1),
        lambda name: gs.theory.mean_field(name, 1.0),
    ):
        with pytest.raises(SweepError, match=r"scale is -1, but must be a number > 0.*scaled_tanh\(1\)"):
            call("scaled_tanh(-1)")


def test_the_default_has_the_bare_name():
    sweep = gs.Sweep(**{**CELL, "activation": ["scaled_tanh(1.0)", "scaled_tanh( .7 )"]}, networks=1)
    assert sweep.activation == ("scaled_tanh", NAME)


def test_theory():
    found, tanh_s = gs.theory.mean_field(NAME, 1.8, 0.2), gs.theory.mean_field("tanh", 0.7 * 1.8, 0.7 * 0.2)
    assert found.q_star * 0.49 == pytest.approx(tanh_s.q_star, rel=1e-12)
    assert found.chi_1 == pytest.approx(tanh_s.chi_1, rel=1e-12)
    assert gs.theory.critical_sigma_w(NAME) == pytest.approx(1 / 0.7, rel=1e-12)


def test_a_run_and_its_summary(tmp_path):
    sweep = gs.Sweep(**{**CELL, "sigma_w": [0.7, 2.8], "depth": 8}, networks=400)
    run = gs.run(sweep, tmp_path / "run", progress="none", threads=1)
    summary = run.summary()
    assert list(summary["activation"]) == [NAME, NAME]
    assert summary["phase"].iloc[0] == "vanishing"
    assert summary["quenched_log_gain"].is_monotonic_increasing
    assert summary["chi_1"].iloc[0] == pytest.approx(gs.theory.chi_1(NAME, 0.7, 0.2))
    again = gs.simulate(**{**CELL, "sigma_w": 0.7, "depth": 8}, networks=400)
    assert summary["quenched_log_gain"].iloc[0] == pytest.approx(again.log_gain[:, 0].mean(), abs=1e-6)
    assert gs.open(tmp_path / "run").summary().equals(summary)


def test_the_command_line(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["theory", NAME, "--depth", "8", "--format", "csv"])
    out = capsys.readouterr().out
    assert not stop.value.code
    assert float(out.splitlines()[-1].split(",")[3]) == pytest.approx(1 / 0.7)
    with pytest.raises(SystemExit) as stop:
        main(["theory", "scaled_tanh(0)"])
    assert stop.value.code == 2
    assert "must be a number > 0" in capsys.readouterr().err
