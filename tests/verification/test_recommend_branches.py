"""The recommended transformer in PyTorch, initialised by the printed code, with its own autograd."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest

import gradsim as gs

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.verify

WIDTH, TOKENS, DEPTH, HEADS, NETWORKS = 128, 4, 8, 2, 200


class Block(torch.nn.Module):
    """Attention and an MLP, each after a norm without parameters."""

    def __init__(self):
        super().__init__()
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self, name, torch.nn.Linear(WIDTH, WIDTH, bias=False))
        self.up_proj = torch.nn.Linear(WIDTH, 4 * WIDTH)
        self.down_proj = torch.nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):
        y = torch.nn.functional.layer_norm(x, (WIDTH,))
        parts = (part(y).view(TOKENS, HEADS, -1).transpose(0, 1) for part in (self.q_proj, self.k_proj, self.v_proj))
        attended = torch.nn.functional.scaled_dot_product_attention(*parts, is_causal=True)
        x = x + self.o_proj(attended.transpose(0, 1).reshape(TOKENS, WIDTH))
        y = torch.nn.functional.layer_norm(x, (WIDTH,))
        return x + self.down_proj(torch.nn.functional.gelu(self.up_proj(y)))


def growths(code: str) -> np.ndarray:
    """Decades by which stream and gradient grow, (networks, 2)."""
    found = []
    torch.manual_seed(11)
    for _ in range(NETWORKS):
        model = torch.nn.Module()
        model.blocks = torch.nn.ModuleList(Block() for _ in range(DEPTH)).double()
        exec(code, {"model": model})
        x = torch.randn(TOKENS, WIDTH, dtype=torch.float64)
        kept = []
        for block in model.blocks:
            x = block(x)
            x.retain_grad()
            kept.append(x)
        cost = torch.nn.functional.layer_norm(x, (WIDTH,)) * torch.randn(TOKENS, WIDTH, dtype=torch.float64)
        cost.sum().backward()
        gradient = kept[0].grad.norm() / kept[-1].grad.norm()
        stream = x.norm() / sqrt(TOKENS * WIDTH)
        found.append([log(stream.item()) / log(10.0), log(gradient.item()) / log(10.0)])
    return np.array(found)


@pytest.mark.parametrize("name", ["depth_scaled", "he_normal", "gpt2"])
def test_growth_in_pytorch(name):
    """Medians of 200 and 200 networks within 4 standard errors of their difference: a false alarm in 2,700 tests.

    The code of another initialisation lies beyond.
    """
    options = {"normalisation": "layer", "inputs": TOKENS, "heads": HEADS}
    found = gs.recommend("gelu", DEPTH, WIDTH, architecture="transformer", **options)
    row = found.initialisations.set_index("initialisation").loc[name]
    measured, other = growths(found.snippet("pytorch", name)), growths(found.snippet("pytorch", "lecun_normal"))
    for k, quantity in enumerate(("stream", "gradient")):
        simulated = (row[f"{quantity}_high"] - row[f"{quantity}_low"]) / 3.92
        error = sqrt(simulated**2 + 1.57 * measured[:, k].var() / NETWORKS)
        print(name, quantity, np.median(measured[:, k]), row[quantity], error)
        assert abs(np.median(measured[:, k]) - row[quantity]) < 4 * error
        assert abs(np.median(other[:, k]) - row[quantity]) > 4 * error
