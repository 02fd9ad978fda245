"""Constant matrices, streams without norms, structures that vary, and the scale of branches in every place.

Models have fixed seeds and lie far from the thresholds, each of which is passed by chance in 1 of 10,000 checks.
"""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn
from torch.nn import functional


def check(build, networks=8):
    return gs.check(build, networks=networks, progress="none")


class Skipping(nn.Module):
    """Layers that are skipped at random, as LayerDrop does, or whose activation is drawn."""

    def __init__(self, skip):
        super().__init__()
        self.layers, self.skip = nn.ModuleList(nn.Linear(16, 16) for _ in range(6)), skip

    def forward(self, x):
        for layer in self.layers:
            if torch.rand(()) < 0.6:
                x = torch.relu(layer(x))
            elif not self.skip:
                x = torch.tanh(layer(x))
        return x


@pytest.mark.parametrize("skip", [True, False])
def test_chains_that_vary_between_networks_are_left_out_and_said(skip):
    found = check(lambda: (Skipping(skip), torch.randn(4, 16)))
    assert found.sound
    assert found.laws["places"].tolist() == ["model"]
    assert "Networks differ" in found.laws["reason"].iloc[0]
    assert "Networks differ" in found.text()
