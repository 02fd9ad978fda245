"""The numbers of the shipped sweeps, by every method and in both precisions: no change of the code changes them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import gradsim as gs
from gradsim.sweep.files import shipped

FEW = 64
"""Networks of each cell in the quick test; a sweep with more begins with the same ones."""

DIGESTS = {
    ("phase-relu", "explicit", "float32"): (
        "4df6935c33b0344ae8db1faf0fbc4f5489949a21f660a9535cbb0fe83c98dfa2",
        "0bd0e4f442031f0ee873937b99d2c67a9e79962a275c3b27ccbe4d98cb8869f8",
    ),
    ("phase-relu", "explicit", "float64"): (
        "40e830744978a9cd665f21e4979722ff809bfeb99f2d7b75f7e2430ec638411e",
        "577ff91cc986c5ca9190042fb60d69ebbd440d2f3d5b3042968d5c024f79d34f",
    ),
    ("phase-relu", "conditional", "float32"): (
        "e53746489ae26090ba80d8c32ebd259a31e32d09137c338c1cf42b0a46592f25",
        "385ddb97b117eef759bb40a769883ce29104b6d366affdf8005e545b2f54895f",
    ),
    ("phase-relu", "conditional", "float64"): (
        "2cee2932ab466ef0bdb81c6513ccf68328c9e19647a62fcfd7da777126d5a2cc",
        "3afe80cdc2a46b7efe3e27441dcaa6a8c7fe185f0e3e0d04675b289cc5990cb1",
    ),
    ("phase-sigmoid", "explicit", "float32"): (
        "cb4f7bbce0a47359b7c6f9f7ea852df11178374777fbe54ea8e158fe68e82fcc",
        "9e0cf9ea0a7b225557633ed4673d062bc972b86c202623303a142d2a3a35dd74",
    ),
    ("phase-sigmoid", "explicit", "float64"): (
        "5e381be89eef6853c94fd768ca281d0ef83b862e81eef00b20ed5ab0ba965c4e",
        "5df348294e6520d6ad42b9bf63dd0c7a803ed26bad4655c35610aa9463e2d463",
    ),
    ("phase-sigmoid", "conditional", "float32"): (
        "6a09f2db85bc4c67f3927d1ccc90af250dfd5b063c51f9ccd922efce73fdf544",
        "2a213e2eca9dddf21d2278783452f434e7b8b203e8877a099cede4499eb7e957",
    ),
    ("phase-sigmoid", "conditional", "float64"): (
        "2eaf50aeec9a07e1e2c6aa45366d50231260ff7988526ded4a3f5d30b9bd4c18",
        "3de03809c86cc53b805c32df8c1a4661341cfc0d951f841e1204a7cab8909df5",
    ),
    ("phase-tanh", "explicit", "float32"): (
        "e6e99134ac5f40ae8d140646dae3af447de2739f27edacfd6365b92d26266747",
        "1e4712f174cb06c10f108164616cf8fcc19747cc77aace73dc5dc836ab77e164",
    ),
    ("phase-tanh", "explicit", "float64"): (
        "72ea7d6c78c17c50464a02fb5edb6cc9ce92b9edfa3dbb86fbc893dafc8e4933",
        "794b9935dbf7514e027ce2b615856bc9eed86723ba1712e14054ad179e3e8531",
    ),
    ("phase-tanh", "conditional", "float32"): (
        "3c50c0729db01eca96c0a8b8ed4dbce78966ac0a67070cc9279b00cb21fad038",
        "adda967af45231251f69e308284e24238e24168cb9d33699914eaebb0981c2ef",
    ),
    ("phase-tanh", "conditional", "float64"): (
        "2151f2811eb6b05db0223c47c21f1d37bd6334493ad3dcf1013986e048fde848",
        "6104262fc01314e0d4c995269947ab7a2b536260ea1b41c78c6a8976d1a6d399",
    ),
}
"""Of each shipped sweep the digest with `FEW` networks a cell, and with all."""


def digest(sweep: gs.Sweep, out: Path) -> str | None:
    return gs.run(sweep, out, progress="none").verify().digest


def test_every_shipped_sweep_has_digests():
    assert set(DIGESTS) == set(itertools.product(shipped(), ("explicit", "conditional"), ("float32", "float64")))


@pytest.mark.parametrize(("name", "method", "dtype"), DIGESTS)
def test_few_networks(name: str, method: str, dtype: str, tmp_path: Path):
    sweep = gs.Sweep.from_toml(name).replace(method=method, dtype=dtype, networks=FEW)
    assert digest(sweep, tmp_path / "run") == DIGESTS[name, method, dtype][0]


@pytest.mark.verify
@pytest.mark.parametrize(("name", "method", "dtype"), DIGESTS)
def test_whole_sweeps(name: str, method: str, dtype: str, tmp_path: Path):
    sweep = gs.Sweep.from_toml(name).replace(method=method, dtype=dtype)
    assert digest(sweep, tmp_path / "run") == DIGESTS[name, method, dtype][1]
