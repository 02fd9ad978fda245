"""Architectures as functions that write a tape, each in a few lines.

They take (tape, network, cell) and return the value that is read out. A layer is one multiplication of a plain network,
and one branch or two of a residual one. What stands for it is the preactivation, or the stream after the branches.
"""

from __future__ import annotations

from gradsim_core.parameters import Params
from gradsim_core.tapes import Tape
from gradsim_core.tapes.tape import BATCH, LAYER, RMS

from .network import SCORES, Network, scale_of

_NORMS = {"layer": LAYER, "rms": RMS, "batch": BATCH}


def normalise(tape: Tape, network: Network, x: int) -> int:
    """The norm of a network, if it has one."""
    if network.normalisation == "none":
        return x
    return tape.squash(x) if network.normalisation == "dyt" else tape.standardise(x, _NORMS[network.normalisation])


def plain(tape: Tape, network: Network, cell: Params) -> int:
    """h = W x + b, x = phi(norm(h)), or norm(phi(h))."""
    x = tape.input
    for _ in range(cell.depth):
        h = tape.shift(tape.multiply(x, cell.width, sigma=cell.sigma_w), cell.sigma_b)
        tape.end_layer(h)
        x = tape.activate(normalise(tape, network, h) if network.placement == "pre" else h)
        x = normalise(tape, network, x) if network.placement == "post" else x
    return x


def one_matrix(tape: Tape, network: Network, cell: Params, y: int) -> int:
    """The branch W phi(y) + b."""
    return tape.shift(tape.multiply(tape.activate(y), cell.width, sigma=cell.sigma_w), cell.sigma_b)


def two_matrices(tape: Tape, network: Network, cell: Params, y: int) -> int:
    """The branch V phi(W y + b), or V (phi(G y) * U y)."""
    usual = 4.0 if network.architecture == "transformer" else 1.0
    n = max(round((network.expansion or usual) * cell.width), 1)
    parts = 2 if network.gated else 1
    h = tape.shift(tape.multiply(y, n, parts, cell.sigma_w), cell.sigma_b)
    return tape.multiply(tape.gate(h) if network.gated else tape.activate(h), cell.width, sigma=cell.sigma_w)


def attention(tape: Tape, network: Network, cell: Params, y: int) -> int:
    """The branch W_O attend(W_QKV y)."""
    d = cell.width // network.heads
    parts = tape.multiply(y, d, 3 * network.heads, cell.sigma_w)
    return tape.multiply(tape.attend(parts, SCORES[network.scores](d), network.causal), cell.width, sigma=cell.sigma_w)


def add_branch(tape: Tape, network: Network, cell: Params, x: int, branch) -> int:
    """The stream after a branch, with norms before it, after it, at both ends, or on the sum."""
    y = normalise(tape, network, x) if network.placement in ("pre", "sandwich") else x
    y = branch(tape, network, cell, y)
    y = normalise(tape, network, y) if network.placement in ("sandwich", "output") else y
    x = tape.add(x, y, scale_of(network, cell.depth))
    return normalise(tape, network, x) if network.placement == "post" else x


def stream_of(*branches):
    """The writer of a residual network of these branches; where norms come before them, one ends the stream, too."""

    def write(tape: Tape, network: Network, cell: Params) -> int:
        x = tape.input
        for _ in range(cell.depth):
            for branch in branches:
                x = add_branch(tape, network, cell, x, branch)
            tape.end_layer(x)
        return normalise(tape, network, x) if network.placement in ("pre", "sandwich") else x

    return write
