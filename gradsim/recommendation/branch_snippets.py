"""Code that sets the std of every matrix of a network with branches. Tests run it and measure the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gradsim.recommendation.snippets import BY_STD, check_framework
from gradsim_core.architectures.presets import ATTENTION, DOWN, HIDDEN, QUERIES, UP, VALUES

_NAMES = {
    QUERIES: ("q_proj", "k_proj"),
    VALUES: ("v_proj",),
    ATTENTION: ("o_proj",),
    UP: ("up_proj",),
    DOWN: ("down_proj",),
    HIDDEN: ("linear",),
}


class BranchWeights(NamedTuple):
    """What a snippet sets.

    Attributes
    ----------
    law
        Of the weights.
    stds
        One for each block, by the kind of a matrix.
    sigma_b
        Of the biases.
    branch_scale
        Factor of every branch.
    gated
        Whether an MLP has a gate.
    """

    law: str
    stds: Mapping[str, Sequence[float]]
    sigma_b: float
    branch_scale: float
    gated: bool


def branch_snippet(framework: str, weights: BranchWeights) -> str | None:
    """Return code for a framework that sets such weights; None where there is none.

    Raises
    ------
    SweepError
        For an unknown framework.
    """
    check_framework(framework)
    return _torch(weights) if framework == "pytorch" else None


def _torch(weights: BranchWeights) -> str:
    lines = ["from torch import nn", ""]
    names = {kind: _NAMES[kind] for kind in weights.stds}
    if weights.gated:
        names[UP] = ("gate_proj", "up_proj")
    values = {}
    for kind, stds in weights.stds.items():
        values[kind] = f"{stds[0]:.6g}"
        if len(set(stds)) > 1:
            values[kind] = f"{kind}[number]"
            lines.append(f"{kind} = [{', '.join(f'{std:.6g}' for std in stds)}]  # by block")
    by_block = any(len(set(stds)) > 1 for stds in weights.stds.values())
    lines.append("for number, block in enumerate(model.blocks):" if by_block else "for block in model.blocks:")
    for kind, each in names.items():
        lines += [f"    {BY_STD[weights.law](f'block.{name}.weight', values[kind])}" for name in each]
    bias = f"nn.init.normal_(module.bias, std={weights.sigma_b:.6g})" if weights.sigma_b else (
        "nn.init.zeros_(module.bias)"
    )  # fmt: skip
    lines += [
        "    for module in block.modules():",
        "        if isinstance(module, nn.Linear) and module.bias is not None:",
        f"            {bias}",
    ]
    if weights.branch_scale != 1.0:
        lines.append(f"# In forward, every branch is scaled: x = x + {weights.branch_scale:.6g} * branch(x)")
    return "\n".join(lines) + "\n"
