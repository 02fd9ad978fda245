"""Presets as an axis: what they stand for, what is refused beside them, and what a run of them gives."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import gradsim as gs
from gradsim import theory
from gradsim.errors import SweepError
from gradsim.sweep.cells import canonical_json, cell_key

BASE = {"activation": "relu", "depth": 6, "width": 16, "networks": 60, "seed": 1}


def sweep(**changes):
    return gs.Sweep(**BASE | changes)


def test_a_preset_stands_for_law_and_sigmas():
    made = sweep(preset=["he_normal", "pytorch_linear", "orthogonal"], width=[16, 64])
    found = {(cell.preset, cell.width): (cell.law, cell.sigma_w, cell.sigma_b) for cell in made.cells()}
    assert found["he_normal", 16] == ("gaussian", 1.41421356237, 0.0)
    assert found["pytorch_linear", 64] == ("uniform", 0.57735026919, 0.0721687836487)
    assert found["pytorch_linear", 16] == ("uniform", 0.57735026919, 0.144337567297)
    assert found["orthogonal", 16] == ("orthogonal", 1.0, 0.0)
    assert set(made.laws) == {"gaussian", "uniform", "orthogonal"}


def test_sigma_w_is_that_of_the_first_matrix():
    cells = sweep(preset="gpt2", architecture=["residual2", "transformer"], width=100, inputs=2).cells()
    assert [cell.sigma_w for cell in cells] == [0.2, 0.2]


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_critical_is_the_boundary_of_the_depth(activation):
    cells = sweep(preset="critical", activation=activation, depth=[4, 50]).cells()
    for cell in cells:
        assert cell.sigma_w == pytest.approx(theory.boundary(activation, cell.depth), rel=1e-5)
        assert cell.sigma_w == float(f"{cell.sigma_w:.6g}")


def test_critical_with_a_norm_is_that_of_the_network_with_it():
    found = sweep(preset="critical", activation="tanh", depth=20, normalisation="dyt").cells()[0].sigma_w
    gain = theory.stream("plain", "tanh", 20, found, normalisation="dyt").log_gain[0]
    assert gain == pytest.approx(0.0, abs=1e-4)
    assert found != sweep(preset="critical", activation="tanh", depth=20).cells()[0].sigma_w


def test_datasets_of_another_critical_are_not_continued():
    """The preset critical was once that of networks without norms; only sweeps with norms have another hash."""
    for values in ({"preset": "critical"}, {"preset": "lecun_normal", "normalisation": "dyt"}):
        made = sweep(activation="tanh", depth=20, **values)
        assert made.content_hash == hashlib.sha256(canonical_json(made._content()).encode()).hexdigest()
    made = sweep(activation="tanh", depth=20, preset="critical", normalisation=["none", "dyt"])
    assert made.content_hash != hashlib.sha256(canonical_json(made._content()).encode()).hexdigest()


def test_written_read_back_and_replaced():
    made = sweep(preset=["he_normal", "critical"])
    text = made.to_toml()
    assert not {"sigma_w", "sigma_b", "law"} & set(text.split())
    assert type(made).from_stored_text(text.encode(), "text") == made
    assert made.replace(networks=5).preset == made.preset
    assert sweep(sigma_w=1.0, law="uniform").replace(preset="ntk").cells()[0].law == "gaussian"
    assert made.replace(preset="none", sigma_w=[1.0, 2.0]).cell_count == 2
    with pytest.raises(SweepError, match="sigma_w is missing"):
        made.replace(preset="none")


def test_keys_differ_by_preset():
    keys = {cell_key(cell, 1) for cell in sweep(preset=["lecun_normal", "mup"]).cells()}
    assert len(keys | {cell_key(sweep(sigma_w=1.0).cells()[0], 1)}) == 3


REFUSED = {
    "sigma_w = 1.0 .* stands for it. Leave out sigma_w": {"preset": "he_normal", "sigma_w": 1.0},
    "law = 'uniform' .* stands for it": {"preset": "he_normal", "law": "uniform"},
    "sigma_b = 0 .* stands for it": {"preset": "he_normal", "sigma_b": 0},
    "preset = .* Make two sweeps": {"preset": ["none", "ntk"]},
    "preset = 'he_norml' .* The nearest is he_normal": {"preset": "he_norml"},
    "preset = 3 ": {"preset": 3},
    "preset = 'gpt2' .* residual2 and transformer": {"preset": "gpt2"},
    "preset = 'critical' .* plain networks": {"preset": "critical", "architecture": "residual"},
    "preset = 'critical' .* depth 1 has no boundary": {"preset": "critical", "depth": 1},
    "preset = 'critical' .* a norm divides out": {
        "preset": "critical",
        "activation": "tanh",
        "normalisation": "layer",
        "depth": 20,
    },
    "preset = 'critical' .* user's own": {
        "preset": "critical",
        "activation": gs.Activation(name="mine", phi=lambda h: h, dphi=lambda h: 1.0),
    },
    "sigma_w is missing": {"preset": "none"},
    "method = 'conditional' .* gaussian and orthogonal": {"preset": "he_uniform", "method": "conditional"},
    "preset = 'orthogonal' .* Write for example preset": {"preset": "orthogonal", "inputs": 2},
    "preset = 'orthogonal' .* in plain networks": {"preset": ["he_normal", "orthogonal"], "architecture": "residual"},
    "preset = None .* Leave it out": {"preset": None},
}


@pytest.mark.parametrize("told", REFUSED)
def test_refused(told):
    with pytest.raises(SweepError, match=told):
        sweep(**REFUSED[told])


def test_one_network_at_a_time():
    named = gs.simulate("relu", preset="orthogonal", depth=3, width=8, networks=4)
    assert named.log_gain.shape == (4, 3)
    w = gs.weights(1, activation="relu", preset="orthogonal", depth=3, width=8).W[0]
    np.testing.assert_allclose(w @ w.T, np.eye(8), atol=1e-5)
    with pytest.raises(SweepError, match=r"sigma_w = 2\.0"):
        gs.simulate("relu", 2.0, preset="he_normal")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = sweep(
        preset=["he_normal", "xavier_uniform", "orthogonal"], activation=["relu", "tanh"], depth=[4, 8], width=64
    )
    return gs.run(made, tmp_path_factory.mktemp("presets") / "run", progress="none")


def test_theory_is_that_of_the_sigmas(run):
    frame = run.growth().set_index(["preset", "activation", "depth"])
    for (preset, activation, depth), row in frame.iterrows():
        sigma_w = {"he_normal": 2**0.5}.get(preset, 1.0)
        assert row["theory"] == pytest.approx(theory.trajectory(activation, depth, sigma_w).log_gain[0], abs=1e-9)
        assert abs(row["median_log_gain"] - row["theory"]) < 0.5 + 5 * depth / 64
    assert run.boundary()["sigma_w"].isna().all()


def test_picture(run):
    axes = gs.plots.presets(run)
    texts = [text.get_text() for text in axes.texts[:6]]
    medians = run.summary().set_index(["depth", "activation", "preset"])["median_log_gain"].loc[8]
    decades = medians / (2 * np.log(10.0))
    assert texts == [
        f"{decades[name, preset]:+.1f}".replace("-", "−") for name in ("relu", "tanh")
        for preset in ("he_normal", "xavier_uniform", "orthogonal")
    ]  # fmt: skip
    assert "width 64, depth 8" in axes.get_title(loc="left").replace("\u00a0", " ")
    assert "One of 2 combinations of depth." in gs.plots.caption(axes)
    assert "depth 4" in gs.plots.presets(run, depth=4).get_title(loc="left").replace("\u00a0", " ")
    with pytest.raises(SweepError, match="depth"):
        gs.plots.presets(run, depth=5)


def test_a_picture_without_presets_is_refused(tmp_path):
    plain = gs.run(sweep(sigma_w=1.0, networks=2), tmp_path / "run", progress="none")
    with pytest.raises(SweepError, match="an axis of the run"):
        gs.plots.presets(plain)


def test_sigmas_of_blocks_in_theory():
    sigmas = theory.preset_sigmas("llama", "transformer", depth=3, width=64)
    assert sigmas["queries"] == [pytest.approx(0.16)] * 3
    assert sigmas["attention"] == pytest.approx([0.16 / (2 * block) ** 0.5 for block in (1, 2, 3)])
    whole = theory.stream("residual2", "relu", 2, {"up": 1.0, "down": [1.0, 0.5]})
    np.testing.assert_allclose(np.exp(whole.log_q), [1.5, 1.5 * 1.125])
    np.testing.assert_allclose(np.exp(whole.log_gain), [1.125, 1.0])
    number = theory.stream("residual2", "relu", 5, 1.2)
    np.testing.assert_array_equal(number.log_q, theory.stream("residual2", "relu", 5, {"up": 1.2, "down": 1.2}).log_q)


@pytest.mark.parametrize(("told", "call"), [
    ("kinds of matrices up, down", lambda: theory.stream("residual2", "relu", 5, {"up": 1.2})),
    (
        r"sigma_w\[up\] = \[3\] .* for each of 5 blocks",
        lambda: theory.stream("residual2", "relu", 5, {"up": [1, 2, 3], "down": 1}),
    ),
    ("sigma_w = 'a'", lambda: theory.stream("residual2", "relu", 5, {"up": "a", "down": 1})),
    ("sigma_w = 0.0", lambda: theory.stream("residual2", "relu", 5, {"up": 0.0, "down": 1})),
    ("preset = 'gpt2' .* for plain networks one of", lambda: theory.preset_sigmas("gpt2", "plain", 3, 8)),
    (r"architecture = 'rnn'", lambda: theory.preset_sigmas("gpt2", "rnn", 3, 8)),
    (r"preset = 'critical' .* from gradsim\.theory\.boundary", lambda: theory.preset_sigmas("critical", "plain", 3, 8)),
    ("width = 0", lambda: theory.preset_sigmas("he_normal", "plain", 3, 0)),
])  # fmt: skip
def test_theory_refuses(told, call):
    with pytest.raises(SweepError, match=told):
        call()


def test_dead_cells_are_told(tmp_path):
    dead = gs.run(sweep(preset="he_normal", width=1, depth=40, networks=4), tmp_path / "run", progress="none")
    axes = gs.plots.presets(dead)
    assert [text.get_text() for text in axes.texts[:1]] == ["dead"]
    assert "Grey: 1 cell without live networks." in gs.plots.caption(axes)


def test_dimensions_of_the_dataset(run):
    pytest.importorskip("xarray")
    found = run.to_xarray()
    assert dict(found["median_log_gain"].sizes) == {"preset": 3, "activation": 2, "width": 1, "depth": 2}
    assert found["sigma_w"].sel(preset="he_normal", activation="relu", depth=4).item() == pytest.approx(2**0.5)
    assert (found["law"].sel(preset="orthogonal") == "orthogonal").all()
    assert found["median_log_gain"].notnull().all()


def test_cells_that_are_not_finite_are_not_called_dead(tmp_path):
    """A cube that is cubed in every layer leaves the range of floats."""
    cube = gs.Activation(name="cube", phi=lambda h: 50.0 * h * h * h, dphi=lambda h: 150.0 * h * h)
    lost = gs.run(sweep(preset="he_normal", activation=cube, depth=16, networks=4), tmp_path / "run", progress="none")
    assert lost.summary()["nonfinite_fraction"].iloc[0] == 1.0
    assert gs.plots.presets(lost).texts[0].get_text() == "not\nfinite"


@pytest.mark.parametrize("architecture", ["plain", "convolution", "recurrent"])
def test_depth_scaled_is_of_networks_with_branches(architecture):
    with pytest.raises(SweepError, match="depth_scaled there and in residual"):
        gs.simulate("relu", preset="depth_scaled", depth=2, width=4, networks=2, architecture=architecture)
