"""The table of architectures: the recursion of each, written once as a chain of steps.

A row is a function of a `Network` that returns two steps: from the input to the first state, and from a state to the
next. A state of a plain network is a preactivation h^l, so that without a norm it is that of `trajectory`; of the
others it is the stream x^l after block l.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from gradsim.theory.architectures.norms import Norm
from gradsim.theory.architectures.steps import (
    Step,
    attend,
    attend_by_softmax,
    chain,
    dense,
    elementwise,
    gated,
    identity,
    residual,
)
from gradsim.theory.averages.moments import Moments
from gradsim_core.architectures.presets import ATTENTION, DOWN, HIDDEN, QUERIES, UP, VALUES


class Network(NamedTuple):
    """What a recursion needs: squares are given by their logarithms."""

    table: Moments  # of the activation
    log_w2: Mapping[str, float]  # by the kind of a matrix
    log_b2: float
    log_a2: float  # of the scale of a branch
    norm: Norm
    placement: str
    gated: bool
    scores: str  # how those of attention are divided


class Architecture(NamedTuple):
    """A row of the table."""

    recursion: Callable[[Network], tuple[Step, Step]]
    placements: tuple[str, ...] = ("pre", "post", "sandwich", "output")
    tokens: bool = False
    nonlinear: bool = False  # whether the activation acts on the stream itself
    what: str = ""


def _plain(network: Network) -> tuple[Step, Step]:
    multiply = dense(network.log_w2[HIDDEN], network.log_b2)
    activate = network.norm.before if network.placement == "pre" else network.norm.after
    return multiply, chain(activate(network.table), multiply)


def _residual(network: Network) -> tuple[Step, Step]:
    multiply = dense(network.log_w2[HIDDEN], network.log_b2)
    normed = network.placement in ("pre", "sandwich")
    activate = network.norm.before(network.table) if normed else elementwise(network.table)
    block = _placed(network, chain(activate, multiply), normed=True)
    return block, block


def _residual2(network: Network) -> tuple[Step, Step]:
    block = _placed(network, _mlp(network))
    return block, block


def _transformer(network: Network) -> tuple[Step, Step]:
    queries, values, project = (network.log_w2[kind] for kind in (QUERIES, VALUES, ATTENTION))
    attention = chain(dense(values), attend)
    if network.scores != "1/d":  # values of another variance scale what is attended, and all errors behind it
        attention = chain(attend_by_softmax(queries), dense(values - queries))
    block = chain(_placed(network, chain(attention, dense(project))), _placed(network, _mlp(network)))
    return block, block


def _mlp(network: Network) -> Step:
    """V phi(W y + b), or V (phi(G y) * U y). The inner width drops out: weights have variances over their fan_in."""
    up, down = network.log_w2[UP], network.log_w2[DOWN]
    if network.gated:
        return chain(gated(network.table, up), dense(down))
    return chain(dense(up, network.log_b2), elementwise(network.table), dense(down))


def _placed(network: Network, branch: Step, normed: bool = False) -> Step:
    """A branch with its norms, added to the stream; ``normed``: it begins with its norm."""
    norm, placement = network.norm.apply, network.placement
    before = norm if placement in ("pre", "sandwich") and not normed else identity
    after = norm if placement in ("sandwich", "output") else identity
    block = residual(chain(before, branch, after), network.log_a2)
    return chain(block, norm) if placement == "post" else block


ARCHITECTURES = {
    "plain": Architecture(_plain, ("pre", "post"), what="x = phi(norm(W x + b)), or norm(phi(W x + b))"),
    "residual": Architecture(_residual, nonlinear=True, what="x + alpha (W phi(norm(x)) + b)"),
    "residual2": Architecture(_residual2, what="x + alpha V phi(W norm(x) + b)"),
    "transformer": Architecture(_transformer, tokens=True, what="attention, then an MLP, each added to the stream"),
}
