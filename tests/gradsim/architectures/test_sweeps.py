"""Sweeps of other networks than plain ones: what is refused, what is left out, and what a run of them gives."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gradsim as gs
from gradsim.analysis import boundaries
from gradsim.dataset.dataset import Dataset
from gradsim.errors import SweepError
from gradsim.simulation.plan import Plan
from gradsim.sweep.cells import NETWORK_AXES, cell_key
from gradsim.sweep.columns import NUMBERS_OR_NAMES, in_columns
from gradsim.sweep.networks import NetworkAxes, NetworkOptions
from gradsim_core.architectures import PLAIN

BASE = {"activation": "relu", "sigma_w": [1.0, 1.4], "depth": [4, 8], "width": 16, "networks": 60, "seed": 1}
PLAIN_HASH = "7c5d475537c3fb05f819c00f5bbfc4fbd793f3bd118e04e41e2e7b1a78519896"  # before there were other networks


def sweep(**changes):
    return gs.Sweep(**BASE | changes)


def test_one_list_of_axes():
    assert NETWORK_AXES == tuple(NetworkAxes.model_fields) == tuple(NetworkOptions.__annotations__)
    defaults = {name: field.default[0] for name, field in NetworkAxes.model_fields.items()}
    assert defaults == PLAIN._asdict()


def test_defaults_change_no_hash_key_or_file():
    """A plain sweep is what it was before there were other networks."""
    plain, told = sweep(networks=10), sweep(networks=10, architecture="plain", inputs=1, heads=[1], branch_scale=1)
    assert plain.content_hash == told.content_hash == PLAIN_HASH
    assert not set(NETWORK_AXES) & set(plain.to_toml().split())
    assert plain.shape == (1, 1, 1, 1, 2, 2)
    assert cell_key(sweep(inputs=2).cells()[0], 1) != cell_key(plain.cells()[0], 1)


def test_written_and_read_back():
    made = sweep(architecture=["residual2", "transformer"], gated=[True, False], branch_scale=["1/L", 0.5], inputs=4,
                 normalisation="layer", placement=["pre", "post"])  # fmt: skip
    assert type(made).from_stored_text(made.to_toml().encode(), "text").content_hash == made.content_hash
    assert made.shape == (2, 1, 1, 2, 2, 2, 1, 1, 1, 1, 2, 2)
    assert len({cell_key(cell, 1) for cell in made.cells()}) == made.cell_count == 64


def test_what_an_architecture_does_not_use_is_at_its_default():
    made = sweep(architecture=["plain", "residual"], branch_scale="1/sqrt(L)")
    assert [cell.branch_scale for cell in made.cells()] == [1.0] * 4 + ["1/sqrt(L)"] * 4
    assert made.cells()[0] == sweep().cells()[0]


RADIAL = {"architecture": "residual2", "method": "radial"}
REFUSED = {
    "heads = 3 .* unless the architecture is transformer": {"heads": 3},
    "architecture = 'residul' .* The nearest is residual": {"architecture": "residul"},
    "heads = 3 .* a divisor of the width": {"architecture": "transformer", "heads": 3},
    "placement = 'post' .* where there is no norm": {"placement": "post"},
    "placement = 'output' .* without branches": {"normalisation": "layer", "placement": "output"},
    "normalisation = 'batch' .* tokens": {"architecture": "transformer", "normalisation": "batch", "inputs": 8},
    "inputs = 2 .* 3 or more with batch norm": {"inputs": 2, "normalisation": "batch"},
    "branch_scale = -1 ": {"architecture": "residual", "branch_scale": -1},
    "branch_scale = 'half' .* or one of": {"architecture": "residual", "branch_scale": "half"},
    "branch_scale = .* Make two sweeps": {"architecture": ["plain", "residual"], "branch_scale": [1, 0.5]},
    "placement = .* Make two sweeps": {"normalisation": ["none", "layer"], "placement": ["pre", "post"]},
    "causal = 'yes' ": {"architecture": "transformer", "causal": "yes"},
    "inputs = 0 ": {"inputs": 0},
    "inputs = 4097 ": {"inputs": 4097},
    "expansion = 0.01 ": {"architecture": "residual2", "expansion": 0.01},
    "law = 'sparse\\(0.1\\)' .* independent .* not sparse": {
        "architecture": "residual",
        "law": "sparse(0.1)",
        "method": "conditional",
    },
    "method = 'conditional' .* independent .* Write method = \"explicit\"": {
        "architecture": "residual",
        "law": "uniform",
        "method": "conditional",
    },
    "method = 'radial' .* not plain.* along its axes": {"architecture": "residual", "method": "radial"},
    "method = 'radial' .* direction. Write method = \"conditional\"": RADIAL | {"normalisation": "layer"},
    "method = 'radial' .* a gate": RADIAL | {"gated": True},
    "method = 'radial' .* several inputs": RADIAL | {"inputs": [1, 2]},
    "method = 'radial' .* acts on each output": RADIAL | {"cost": "softmax"},
    "method = 'radial' .* no radial schedule": RADIAL | {"architecture": ["residual2", "transformer"]},
    "law = 'orthogonal' .* not plain with one input": RADIAL | {"law": "orthogonal"},
    "method = 'radial' .* radial for linear, relu": RADIAL | {"activation": "tanh"},
    "law = 'orthogonal' .* Write for example law": {"architecture": "residual", "law": ["gaussian", "orthogonal"]},
    "input_correlation = 0.5 .* one input": {"input_correlation": 0.5},
}


@pytest.mark.parametrize("told", REFUSED)
def test_refused(told):
    with pytest.raises(SweepError, match=told):
        sweep(**REFUSED[told])


def test_a_run_has_the_networks_of_simulate(tmp_path):
    made = sweep(architecture=["plain", "residual2"], branch_scale="1/sqrt(L)", method="conditional", record="networks")
    run = gs.run(made, tmp_path / "whole", progress="none")
    again = [gs.run(made, tmp_path / "parts", shard=f"{i}/2", progress="none") for i in (2, 1)][-1]
    assert run.verify().digest == again.verify().digest
    cells = run.cells()
    assert cells["architecture"].tolist() == ["plain"] * 4 + ["residual2"] * 4
    assert cells["branch_scale"].unique().tolist() == ["1", "1/sqrt(L)"]
    ensemble = gs.simulate("relu", 1.4, depth=8, width=16, networks=60, architecture="residual2", method="conditional",
                           branch_scale="1/sqrt(L)")  # fmt: skip
    assert run.layers(cells=7, quantity="log_q")["mean"].tolist() == pytest.approx(
        ensemble.log_q.mean(axis=0), abs=1e-6
    )
    summary, boundary = run.summary(), run.boundary()
    assert summary["chi_1"].notna().tolist() == [True] * 4 + [False] * 4
    of_residual = boundary[boundary["architecture"] == "residual2"]
    assert len(of_residual) == len(boundary) / 2
    assert (of_residual["theory_reason"] == boundaries.OF_PLAIN).all()


def test_a_sweep_of_the_radial_method(tmp_path):
    """At a large width q grows by 1 + sigma_w^4 / (2 L) a block, as in the mean field."""
    made = sweep(**RADIAL, branch_scale="1/sqrt(L)", width=10**5)
    assert made.normals(made.cells()[-1]) == made.replace(width=8).normals(made.cells()[-1])
    assert sweep(architecture=["plain", "residual2"]).may_be("radial")
    run = gs.run(made, tmp_path, progress="none")
    for cell in run.cells().itertuples():
        growth = np.diff(run.layers(cells=cell.cell_id, quantity="log_q")["mean"])
        np.testing.assert_allclose(growth, np.log1p(cell.sigma_w**4 / (2 * cell.depth)), atol=0.01)


def test_a_plain_cell_beside_others_has_its_own_numbers(tmp_path):
    """The plain networks of a sweep with several architectures are those of a plain sweep, in every bit."""
    alone = gs.run(sweep(), tmp_path / "alone", progress="none").layers()
    beside = gs.run(sweep(architecture=["plain", "residual"]), tmp_path / "beside", progress="none").layers()
    kept = beside[beside["cell_id"] < 4].reset_index(drop=True)
    np.testing.assert_array_equal(kept.to_numpy(), alone.to_numpy())


def test_weights_are_of_plain_networks():
    with pytest.raises(SweepError, match=r"inputs = 2 .* plain networks of one input"):
        gs.weights(0, activation="relu", depth=3, width=8, inputs=2)


AXES = {
    "architecture": {"architecture": "residual2"},
    "inputs": {"inputs": 4},
    "input_correlation": {"inputs": 4, "input_correlation": 0.5},
    "normalisation": {"normalisation": "layer"},
    "placement": {"normalisation": "layer", "placement": "post"},
    "branch_scale": {"architecture": "residual", "branch_scale": "1/L"},
    "heads": {"architecture": "transformer", "inputs": 4, "heads": 2},
    "causal": {"architecture": "transformer", "inputs": 4, "causal": False},
    "scores": {"architecture": "transformer", "inputs": 4, "scores": "1/d"},
    "gated": {"architecture": "residual2", "gated": True},
    "expansion": {"architecture": "residual2", "expansion": 2.0},
    "preset": {"preset": "he_normal", "sigma_w": None},
    "cost": {"cost": "softmax"},
    "outputs": {"cost": "softmax", "outputs": 3},
    "sigma_u": {"architecture": "recurrent", "sigma_u": 0.5},
    "taps": {"architecture": "convolution", "inputs": 4, "taps": 5},
    "differences": {"inputs": 2, "differences": True},
    "layers": {"layers": [4, 6], "depth": None, "width": None},
    "input_length": {"input_length": 0.5},
    "input_file": {"input_file": "here", "inputs": 2, "width": 4},
    "embedding": {"architecture": "transformer", "inputs": 4, "cost": "softmax", "embedding": "tied"},
    "vocabulary": {
        "architecture": "transformer",
        "inputs": 4,
        "cost": "softmax",
        "embedding": "tied",
        "vocabulary": 30,
    },
    "sigma_embedding": {"architecture": "transformer", "inputs": 4, "embedding": "untied", "sigma_embedding": 0.02},
}


@pytest.mark.parametrize("axis", NETWORK_AXES)
def test_every_axis_is_stored(axis, tmp_path):
    """As a column of cells.parquet that reads back, and as text that gives the same sweep."""
    pd.DataFrame(np.eye(4)).set_axis(list("abcd"), axis=1).to_parquet(tmp_path / "x.parquet")
    values = {key: tmp_path / "x.parquet" if value == "here" else value for key, value in AXES[axis].items()}
    all_values = {"activation": "tanh", "sigma_w": 1.0, "depth": 2, "width": 8, "networks": 5, "seed": 1} | values
    made = gs.Sweep(**{key: value for key, value in all_values.items() if value is not None})
    assert axis in made.network_axes
    dataset = Dataset.create(tmp_path / "run", Plan(made))
    assert Dataset.open(tmp_path / "run").sweep == made
    (stored,), value = dataset.cells()[axis], getattr(made.cells()[0], axis)
    if axis == "input_file":
        assert value.endswith(stored, 0, -52)
        assert len(stored) == 12
    else:
        assert stored == (in_columns(value) if axis in NUMBERS_OR_NAMES else value)
