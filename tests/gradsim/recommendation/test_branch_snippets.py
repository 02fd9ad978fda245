"""Code for networks with branches is run in PyTorch, and the weights that it makes are measured."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from gradsim.recommendation.branch_snippets import BranchWeights, branch_snippet
from gradsim.recommendation.snippets import BY_STD, Weights, snippet

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
N, L = 160, 3
NAMES = {"queries": ["q_proj", "k_proj"], "values": ["v_proj"], "attention": ["o_proj"], "up": ["up_proj"],
         "down": ["down_proj"]}  # fmt: skip


def model_of(names, width: int = N):
    def block():
        return torch.nn.ModuleDict({name: torch.nn.Linear(width, width) for name in names})

    model = torch.nn.Module()
    model.blocks = torch.nn.ModuleList([_Named(block()) for _ in range(L)])
    return model


class _Named(torch.nn.Module):
    """A block whose matrices are attributes."""

    def __init__(self, parts):
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)


def run(code: str, model) -> None:
    torch.manual_seed(1)
    exec(code, {"model": model})


@pytest.mark.parametrize("law", BY_STD)
@pytest.mark.parametrize("gated", [False, True])
def test_every_matrix_of_every_block_has_its_std(law, gated):
    """25,600 weights each: 3 % is seven standard errors; the stds of kinds and blocks differ by 20 % and more."""
    stds = {kind: [0.1 * 1.3**k / (block if kind in ("attention", "down") else 1) for block in (1, 2, 3)]
            for k, kind in enumerate(NAMES)}  # fmt: skip
    names = NAMES | ({"up": ["gate_proj", "up_proj"]} if gated else {})
    model = model_of([name for each in names.values() for name in each])
    run(branch_snippet("pytorch", BranchWeights(law, stds, 0.05, 1.0, gated)), model)
    for number, block in enumerate(model.blocks):
        for kind, each in names.items():
            for name in each:
                layer = getattr(block, name)
                assert layer.weight.std().item() == pytest.approx(stds[kind][number], rel=0.03)
                assert layer.bias.std().item() == pytest.approx(0.05, rel=0.3)
    largest = abs(model.blocks[0].v_proj.weight).max().item() / stds["values"][0]
    assert {"gaussian": largest > 3.5, "uniform": largest < 1.7322, "truncated_normal": largest < 2.2738}[law]


def test_one_std_for_all_blocks_is_no_list():
    code = branch_snippet("pytorch", BranchWeights("gaussian", {"hidden": [0.1] * L}, 0.0, 0.25, False))
    assert "[" not in code
    assert "0.25 * branch(x)" in code
    model = model_of(["linear"])
    run(code, model)
    assert model.blocks[2].linear.weight.std().item() == pytest.approx(0.1, rel=0.03)
    assert abs(model.blocks[2].linear.bias).max().item() == 0.0


def test_convolutions_and_recurrent_networks():
    convolution = torch.nn.Sequential(torch.nn.Conv2d(40, 60, 3))
    run(snippet("pytorch", Weights("gaussian", 1.3, 0.0, 40, "convolution")), convolution)
    assert convolution[0].weight.std().item() == pytest.approx(1.3 / sqrt(9 * 40), rel=0.03)
    for law in BY_STD:
        recurrent = torch.nn.RNN(100, 200)
        run(snippet("pytorch", Weights(law, 1.3, 0.2, 200, "recurrent", 0.7)), recurrent)
        assert recurrent.weight_hh_l0.std().item() == pytest.approx(1.3 / sqrt(200), rel=0.03)
        assert recurrent.weight_ih_l0.std().item() == pytest.approx(0.7 / sqrt(100), rel=0.03)
        biases = (recurrent.bias_hh_l0 + recurrent.bias_ih_l0).detach().numpy()
        assert np.std(biases) == pytest.approx(0.2, rel=0.2)
