"""`expected_band` against the networks it summarises, and its file."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

import gradsim as gs
from gradsim.checking.bands import COLUMNS
from gradsim.errors import SweepError

CELL = {"sigma_w": 1.5, "sigma_b": 0.1, "depth": 5, "width": 16, "seed": 3}


def test_a_band_is_that_of_its_networks():
    band = gs.expected_band("tanh", networks=400, share=0.8, **CELL)
    ens = gs.simulate("tanh", networks=400, **CELL)
    assert len(band) == 4 * 5
    for row in band.itertuples():
        values = getattr(ens, row.quantity)[:, row.layer - 1]
        assert row.mean == pytest.approx(values.mean())
        assert row.se == pytest.approx(values.std(ddof=1) / 20)
        assert (values < row.low).sum() <= 40 <= (values <= row.low).sum()
        assert (values > row.high).sum() <= 40 <= (values >= row.high).sum()
        assert (row.networks, row.dead, row.nonfinite) == (400, 0, 0)


def test_new_networks_lie_within_it_as_often_as_it_says():
    """90 % of 2,000 networks of another seed: 4 standard errors, of two samples, are 3.8 %. At twice sigma_w none."""
    band = gs.expected_band("relu", networks=2000, sigma_w=2**0.5, depth=8, width=32, method="conditional")
    row = band[(band["quantity"] == "log_gain") & (band["layer"] == 1)].iloc[0]
    for sigma_w, expected, error in ((2**0.5, 0.9, 0.038), (2**1.5, 0.0, 0.01)):
        new = gs.simulate("relu", sigma_w, 0.0, 8, 32, 2000, seed=9, method="conditional").log_gain[:, 0]
        assert np.mean((new >= row["low"]) & (new <= row["high"])) == pytest.approx(expected, abs=error)


def test_dead_networks_are_counted():
    band = gs.expected_band("relu", networks=300, sigma_w=1.4, depth=12, width=3)
    row = band[(band["quantity"] == "log_delta") & (band["layer"] == 1)].iloc[0]
    assert row["dead"] > 30
    assert row["low"] == -np.inf
    assert np.isfinite(row["mean"])


def test_the_file_has_units_and_the_cell(tmp_path):
    path = tmp_path / "new" / "band.parquet"
    band = gs.expected_band("tanh", networks=50, path=path, **CELL)
    table = pq.read_table(path)
    assert table.to_pandas().equals(band)
    assert table.schema.metadata[b"sigma_w"] == b"1.5"
    assert table.schema.field("mean").metadata[b"unit"] == b"natural log"
    assert list(COLUMNS) == table.column_names
    assert path.stat().st_size < 20_000


@pytest.mark.parametrize(("change", "field"), [({"share": 1.0}, "share"), ({"sigma_w": -1.0}, "sigma_w"),
                                               ({"depth": [2, 3]}, "cells")])  # fmt: skip
def test_wrong_values_are_refused(change, field):
    with pytest.raises(SweepError) as error:
        gs.expected_band(**({"activation": "tanh", "networks": 10} | change))
    assert error.value.field == field
