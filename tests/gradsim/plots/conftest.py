"""The run that pictures are made of."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.gradsim.small_runs import made


@pytest.fixture
def no_pyplot(monkeypatch):
    """Importing pyplot fails: drawing needs none of its state."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Every axis has several values, and there are crossings at most widths; every network is stored."""
    return made(
        tmp_path_factory.mktemp("plots") / "run", activation=["tanh", "relu"], sigma_w=np.linspace(1.0, 2.2, 7),
        sigma_b=[0.0, 0.3], depth=[3, 6], width=[8, 16, 24], networks=150, record="networks",
    )  # fmt: skip
