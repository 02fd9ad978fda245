"""Runs at the edge: every table answers, says why a number is missing, and invents none."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs

GRID = [1.0, 1.3, 1.6, 2.0]
RUNS = {
    "one network": ({"activation": "relu", "sigma_w": GRID, "networks": 1}, "Too few cells"),
    "two networks": ({"activation": "tanh", "sigma_w": GRID, "networks": 2}, None),
    "all dead": ({"activation": "relu", "sigma_w": GRID, "width": 1, "depth": 40}, "Too few cells"),
    "one sigma_w": ({"activation": "tanh", "sigma_w": 1.3}, "Too few cells: 1 with"),
    "one layer": ({"activation": "tanh", "sigma_w": GRID, "depth": 1}, "A network of depth 1 has no boundary"),
    "no crossing": ({"activation": "tanh", "sigma_w": [0.5, 0.6, 0.7]}, "No crossing"),
    "not finite": ({"activation": "relu2", "sigma_w": [1e3, 2e3, 1e4], "depth": 14}, "not finite"),
}


def check(run, reason):
    summary, boundary = (
        run.summary(kinds=["moment(1)"]),
        run.boundary(kinds=["quenched", "annealed", "median", "moment(1)"]),
    )
    for frame in (summary, run.layers()):
        for name in [column[:-4] for column in frame if column.endswith("_low")]:
            low, value, high = (frame[f"{name}{end}"].to_numpy(np.float64) for end in ("_low", "", "_high"))
            known = ~np.isnan(low)
            assert (low[known] <= value[known] + 1e-9).all(), name
            assert (value[known] <= high[known] + 1e-9).all(), name
            assert np.isnan(low[np.isnan(value)]).all(), name
    missing = boundary["sigma_w"].isna()
    assert boundary.loc[missing, "reason"].notna().all()
    assert boundary.loc[missing, ["ci_low", "ci_high", "live_share"]].isna().all(axis=None)
    assert not boundary.loc[missing, "trusted"].any()
    if reason is not None:
        assert missing.all()
        assert boundary["reason"].str.contains(reason).all(), boundary["reason"].tolist()


@pytest.mark.filterwarnings("ignore:All networks are not finite")
@pytest.mark.parametrize("name", RUNS)
def test_every_table_answers(name, tmp_path):
    cell, reason = RUNS[name]
    run = gs.run(
        gs.Sweep(**{"depth": 6, "width": 4, "networks": 30, "seed": 1} | cell), tmp_path / "run", progress="none"
    )
    check(run, reason)
    assert len(run.export(tmp_path / "csv")) == 4


def test_an_unfinished_run(tmp_path):
    sweep = gs.Sweep(activation="tanh", sigma_w=GRID, depth=6, width=4, networks=100, seed=1, shard_size=2000)
    run = gs.run(sweep, tmp_path / "run", progress="none")
    shards = sorted((run.path / "manifests").iterdir())
    for path in shards[1:]:
        path.unlink()
    part = gs.open(run.path)
    assert part.summary()["complete"].tolist() == [False] * 4
    check(part, "Too few cells")
