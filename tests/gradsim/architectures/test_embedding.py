"""Transformers of tokens in sweeps: what is refused, and what a run says of them."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs
from gradsim.errors import SweepError
from gradsim.sweep.cells import cell_key

BASE = {"activation": "gelu", "sigma_w": 1.0, "depth": 2, "width": 16, "networks": 20, "seed": 1, "inputs": 5,
        "dtype": "float64", "method": "conditional", "architecture": "transformer",
        "normalisation": "layer"}  # fmt: skip
TIED = {"embedding": "tied", "cost": "softmax"}


@pytest.mark.parametrize(("told", "changes"), [
    ("embedding = 'tied' .* softmax", {"embedding": "tied"}),
    ("embedding = 'tied' .* softmax", {"embedding": "tied", "cost": "quadratic"}),
    ("embedding = 'both' .* none, untied, tied", TIED | {"embedding": "both"}),
    ("embedding = 'untied' .* unless the architecture is transformer",
     {"embedding": "untied", "architecture": "residual"}),
    ("outputs = 5 .* inputs are tokens", TIED | {"outputs": 5}),
    ("input_correlation = 0.5 .* inputs are tokens", {"embedding": "untied", "input_correlation": 0.5}),
    ("input_length = 'sphere' .* inputs are tokens", TIED | {"input_length": "sphere"}),
    ("vocabulary = 20 .* no tokens", {"vocabulary": 20}),
    ("sigma_embedding = 0.02 .* no tokens", {"sigma_embedding": 0.02}),
    ("vocabulary = 1 .* from 2 to 1048576", TIED | {"vocabulary": 1}),
    ("vocabulary = 2000000 .* from 2 to 1048576", TIED | {"vocabulary": 2_000_000}),
    ("vocabulary = 20.5 ", TIED | {"vocabulary": 20.5}),
    ("sigma_embedding = 0 ", TIED | {"sigma_embedding": 0}),
    ("heads = 3 .* divisor", TIED | {"heads": 3}),
    (r"vocabulary = \(5, 6\) .* one value where networks do not use it",
     {"embedding": ["none", "tied"], "cost": "softmax", "vocabulary": [5, 6]}),
])  # fmt: skip
def test_refused(told, changes):
    with pytest.raises(SweepError, match=told):
        gs.Sweep(**BASE | changes)


def test_embeddings_are_left_out_of_keys_where_there_are_none():
    """The key of a cell whose inputs are normal is what it was; one that names the default is the same sweep."""
    plain = gs.Sweep(**BASE)
    assert gs.Sweep(**BASE, embedding="none", vocabulary=1000).content_hash == plain.content_hash
    cell = plain.cells()[0]
    tied = gs.Sweep(**BASE, **TIED, vocabulary=[20, 30], sigma_embedding=0.3).cells()
    assert len({cell_key(each, 1) for each in (cell, *tied)}) == 3
    assert "embedding" not in repr(cell)


def test_a_run(tmp_path):
    sweep = gs.Sweep(**BASE, cost="softmax", embedding=["untied", "tied"], vocabulary=[3, 40], sigma_embedding=0.3)
    run = gs.run(sweep, tmp_path / "run", progress="none")
    cells = run.cells()
    assert cells[["embedding", "vocabulary"]].to_numpy().tolist() == [["untied", 3], ["untied", 40], ["tied", 3],
                                                                      ["tied", 40]]  # fmt: skip
    frame = run.growth()
    assert np.isfinite(frame["median_log_gain"]).all()
    assert frame["theory_reason"].str.contains("inputs N(0, I)", regex=False).all()
