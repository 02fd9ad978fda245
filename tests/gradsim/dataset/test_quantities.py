"""Quantities of several inputs in a dataset: recorded, merged, verified, compacted; refused without meaning."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import gradsim as gs
from gradsim.errors import SweepError
from gradsim_core.results.of_inputs import OF_INPUTS
from gradsim_core.results.quantities import QUANTITIES

VALUES = {
    "activation": "tanh", "sigma_w": [1.0, 1.5], "depth": 3, "width": 16, "networks": 40, "seed": 1, "inputs": 4,
    "method": "conditional", "shard_size": 50_000,
}  # fmt: skip
NAMES = ("log_decorrelation", "log_ntk")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    sweep = gs.Sweep(**VALUES, quantities=["log_ntk", "log_decorrelation"], record="networks")
    return gs.run(sweep, out=tmp_path_factory.mktemp("pairs") / "run")


def test_they_are_columns_and_rows(run):
    assert run.dataset.plan.shard_count > 1
    layers = run.layers()
    assert set(layers["quantity"]) == {*QUANTITIES, *NAMES} == set(layers["quantity"].cat.categories)
    alone = gs.simulate("tanh", 1.5, depth=3, width=16, networks=40, method="conditional", inputs=4, quantities=NAMES)
    for name in NAMES:
        rows = layers[(layers["cell_id"] == 1) & (layers["quantity"] == name)]
        expected = getattr(alone, name)
        np.testing.assert_allclose(rows["mean"], expected.mean(0), atol=2e-6)
        stored = run.networks(cells=1)[name].to_numpy().reshape(40, 3)
        assert (stored == expected).all()


def test_other_numbers_are_as_without_them(run, tmp_path):
    without = gs.run(gs.Sweep(**VALUES, record="networks"), out=tmp_path / "run")
    columns = without.networks().columns.tolist()
    pd.testing.assert_frame_equal(run.networks()[columns], without.networks())
    assert set(without.layers()["quantity"].cat.categories) == set(QUANTITIES)
    assert not without.sweep.stored_text().count("quantities")
    with pytest.raises(SweepError, match=r"log_ntk.*Run a sweep with quantities"):
        without.layers(quantity="log_ntk")


def test_datasets_hold(run, tmp_path):
    assert run.verify().problems == []
    compact = run.compact(tmp_path / "compact")
    assert compact.verify().problems == []
    pd.testing.assert_frame_equal(compact.layers(), run.layers())
    pd.testing.assert_frame_equal(compact.histograms(quantity="log_ntk"), run.histograms(quantity="log_ntk"))
    assert gs.Sweep.from_toml(run.path / "sweep.toml") == run.sweep
    table = pq.read_table(next((run.path / "data" / "networks").iterdir()))
    assert table.column_names[-2:] == list(NAMES)


def test_a_lost_shard_is_computed_again(run, tmp_path):
    import shutil

    shutil.copytree(run.path, tmp_path / "run")
    for folder in ("manifests", "data/layers"):
        sorted((tmp_path / "run" / folder).iterdir())[0].unlink()
    again = gs.run(run.sweep, out=tmp_path / "run")
    pd.testing.assert_frame_equal(again.layers(), run.layers())


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"quantities": ["log_gain"]}, "every sweep records it"),
        ({"quantities": ["log_nkt"]}, "The nearest is log_ntk"),
        ({"quantities": ["log_ntk", "log_ntk"]}, "log_ntk"),
        ({"quantities": 3}, "some of log_distance"),
        ({"quantities": "log_ntk", "inputs": [1, 4]}, "one input"),
        ({"quantities": "all", "normalisation": "batch"}, "batch norm"),
        ({"quantities": "log_ntk", "architecture": "transformer"}, "attention"),
        ({"quantities": "log_ntk", "architecture": "recurrent"}, "tied"),
        ({"quantities": "log_ntk", "cost": "softmax"}, "one output"),
    ],
)
def test_refusals(values, match):
    with pytest.raises(SweepError, match=match) as caught:
        gs.Sweep(**(VALUES | values))
    assert caught.value.field.startswith("quantities")


def test_all_stands_for_the_table():
    sweep = gs.Sweep(**VALUES, quantities="all")
    assert sweep.quantities == tuple(OF_INPUTS) == gs.Sweep(**VALUES, quantities=list(OF_INPUTS)).quantities
    assert sweep.content_hash != gs.Sweep(**VALUES).content_hash


@pytest.mark.parametrize(
    ("axis", "kind"),
    [
        ("differences", {"inputs": 2}),
        ("gated", {"architecture": "residual2"}),
        ("causal", {"architecture": "transformer"}),
    ],
)
def test_axes_that_are_true_or_false_are_stored(axis, kind, tmp_path):
    sweep = gs.Sweep(
        activation="tanh", sigma_w=1.5, depth=2, width=8, networks=4, seed=1, **kind, **{axis: [True, False]}
    )
    run = gs.run(sweep, out=tmp_path / "run")
    assert run.cells()[axis].tolist() == [True, False]
    assert run.verify().problems == []
    assert run.summary().groupby(axis).size().tolist() == [1, 1]


@pytest.mark.parametrize("given", [[["log_ntk"]], [{}]])
def test_lists_in_a_list_are_refused(given):
    with pytest.raises(SweepError, match="quantities"):
        gs.Sweep(**VALUES, quantities=given)


def test_differences_name_the_architectures_that_have_them():
    with pytest.raises(SweepError, match="unless the architecture is plain or residual or residual2"):
        gs.Sweep(**VALUES | {"architecture": "transformer", "differences": True})
