"""Inputs of a given length, and inputs from the rows of a file."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gradsim as gs
from gradsim.errors import SweepError
from gradsim.simulation import blocks
from gradsim.sweep import inputs
from gradsim.sweep.cells import cell_key

VALUES = {"activation": "tanh", "sigma_w": 1.5, "networks": 300, "seed": 1, "inputs": 5, "method": "conditional"}


def forget():
    """Begin anew as another process would: numbers of a file are kept by their digest."""
    inputs._checked.cache_clear()
    blocks._simulator.cache_clear()


@pytest.fixture(scope="module")
def numbers():
    return np.random.default_rng(3).random((7, 20))


@pytest.fixture(scope="module")
def file(numbers, tmp_path_factory):
    path = tmp_path_factory.mktemp("inputs") / "images.parquet"
    pd.DataFrame(numbers, columns=[f"p{i}" for i in range(20)]).to_parquet(path)
    return path


@pytest.mark.parametrize("length", ["sphere", 0.5, 3.0])
def test_lengths(length):
    """E q^1 = sigma_w^2 r^2 + sigma_b^2; of so wide a network each q is within 10 %."""
    r = 1.0 if length == "sphere" else length
    found = gs.simulate("tanh", 1.5, 0.2, depth=1, width=2000, networks=200, method="conditional", inputs=5,
                        input_length=length)  # fmt: skip
    q = np.exp(found.log_q[:, 0])
    assert abs(q.mean() - (2.25 * r**2 + 0.04)) < 4.5 * q.std() / np.sqrt(200)
    assert (np.abs(q / q.mean() - 1) < 0.1).all()


def test_at_the_fixed_point_q_stays():
    found = gs.simulate("tanh", 1.5, 0.1, depth=8, width=1000, networks=50, method="conditional", inputs=5,
                        input_length="q_star")  # fmt: skip
    q_star = gs.theory.mean_field("tanh", 1.5, 0.1).q_star
    np.testing.assert_allclose(np.exp(found.log_q).mean(0), q_star, rtol=0.02)


def test_rows_of_a_file_are_the_inputs_of_all_networks(file, numbers):
    found = gs.simulate("tanh", 1.5, layers=[20, 600, 9], networks=400, method="conditional", inputs=5, input_file=file,
                        quantities=["log_decorrelation", "log_distance"])  # fmt: skip
    x = numbers[:5]
    q = np.exp(found.log_q[:, 0])
    assert abs(q.mean() - 2.25 * (x**2).sum(1).mean() / 20) < 4.5 * q.std() / 20
    lengths = np.linalg.norm(x, axis=1)
    cosines = (x @ x.T / np.outer(lengths, lengths))[np.triu_indices(5, 1)]
    np.testing.assert_allclose(np.exp(found.log_decorrelation[:, 0]).mean(), 1 - cosines.mean(), rtol=0.02)
    distances = ((x[:, None] - x) ** 2).sum(2)[np.triu_indices(5, 1)]
    np.testing.assert_allclose(np.exp(2 * found.log_distance[:, 0]).mean(), 2.25 * 30 * distances.mean(), rtol=0.02)


def test_a_sweep_knows_its_file(file, numbers, tmp_path):
    sweep = gs.Sweep(**VALUES, layers=[20, 8], input_file=str(file))
    assert gs.Sweep.from_stored_text(sweep.stored_text().encode(), "a") == sweep
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"x": list(numbers)}), other)  # the same numbers as lists, elsewhere
    moved = sweep.replace(input_file=other)
    assert cell_key(moved.cells()[0], 1) == cell_key(sweep.cells()[0], 1)
    run = gs.run(moved, out=tmp_path / "run")
    other.unlink()
    forget()
    assert gs.open(tmp_path / "run").layers().equals(run.layers())
    with pytest.raises(SweepError, match=r"other\.parquet.*there is none"):
        gs.run(moved, out=tmp_path / "again")
    pd.DataFrame(numbers + 1.0).to_parquet(other)
    forget()
    with pytest.raises(SweepError, match="the file that the sweep was made with"):
        gs.run(moved, out=tmp_path / "again")


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"input_file": "none.parquet"}, "there is none"),
        ({"input_file": 3}, "Parquet"),
        ({"input_length": "ball"}, "random, sphere, q_star"),
        ({"input_length": 0.0}, "from 1e-6"),
        ({"input_length": True}, "from 1e-6"),
        ({"input_length": "q_star", "sigma_w": 0.5}, "no fixed point"),
        ({"input_length": "q_star", "activation": "relu"}, "no fixed point"),
        ({"input_length": "q_star", "architecture": "residual"}, "sphere or a number"),
        ({"input_length": "sphere", "differences": True}, "differences"),
        ({"input_length": "sphere", "method": "radial", "activation": "relu", "inputs": 1}, "radial"),
    ],
)
def test_refusals(values, match):
    with pytest.raises(SweepError, match=match):
        gs.Sweep(**(VALUES | {"depth": 3, "width": 16} | values))


def test_files_that_do_not_fit(file, tmp_path):
    for values, match in (
        ({"width": 16, "depth": 2}, "20 numbers|it has 20"),
        ({"layers": [20, 8], "inputs": 8}, "at most 7"),
        ({"layers": [20, 8], "input_correlation": 0.5}, "from a file"),
    ):
        with pytest.raises(SweepError, match=match):
            gs.Sweep(**(VALUES | values), input_file=file)
    for name, frame in (
        ("text", pd.DataFrame({"a": ["x", "y"]})),
        ("missing", pd.DataFrame({"a": [1.0, None]})),
        ("ragged", pd.DataFrame({"a": [[1.0, 2.0], [3.0]]})),
        ("empty", pd.DataFrame({"a": np.array([], float)})),
    ):
        frame.to_parquet(tmp_path / f"{name}.parquet")
        with pytest.raises(SweepError, match="all finite, in columns of numbers"):
            gs.Sweep(**VALUES, depth=1, width=1, input_file=tmp_path / f"{name}.parquet")
    (tmp_path / "not.parquet").write_text("a,b\n1,2\n")
    with pytest.raises(SweepError, match="Parquet file of numbers"):
        gs.Sweep(**VALUES, depth=1, width=1, input_file=tmp_path / "not.parquet")
