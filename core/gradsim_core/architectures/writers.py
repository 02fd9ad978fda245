"""Architectures as functions that write a tape, each in a few lines.

They take (tape, network, cell) and return the value that is read out. A layer is one multiplication of a plain network,
and one branch or two of a residual one. What stands for it is the preactivation, or the stream after the branches.
"""

from __future__ import annotations

from gradsim_core.parameters import Params
from gradsim_core.tapes import Tape
from gradsim_core.tapes.tape import BATCH, LAYER, RMS

from .network import SCORES, Network, inner_of, outputs_of, scale_of, sigma_b_of, sigma_of, widths_of
from .presets import ATTENTION, DOWN, HIDDEN, QUERIES, UP, VALUES

_NORMS = {"layer": LAYER, "rms": RMS, "batch": BATCH}


def normalise(tape: Tape, network: Network, x: int) -> int:
    """The norm of a network, if it has one."""
    if network.normalisation == "none":
        return x
    return tape.squash(x) if network.normalisation == "dyt" else tape.standardise(x, _NORMS[network.normalisation])


def matrix(tape: Tape, network: Network, cell: Params, kind: str, x: int, n: int, parts: int = 1) -> int:
    """W x for a matrix of its own, of a kind of `presets`; layers that have ended tell its block."""
    sigma = sigma_of(network, kind, cell.depth, cell.width, len(tape.layers) + 1)
    return tape.multiply(x, n, parts, cell.sigma_w if sigma is None else sigma)


def one_layer(tape: Tape, network: Network, cell: Params, x: int) -> int:
    """h = W x + b."""
    block = len(tape.layers) + 1
    h = matrix(tape, network, cell, HIDDEN, x, widths_of(network, cell.depth, cell.width)[block])
    sigma_b = sigma_b_of(network, HIDDEN, cell.depth, cell.width, block)
    return tape.shift(h, cell.sigma_b if sigma_b is None else sigma_b)


def one_window(tape: Tape, network: Network, cell: Params, x: int) -> int:
    """The same of every position and its neighbours on a circle, through one matrix for all."""
    return one_layer(tape, network, cell, tape.window(x, network.taps))


def one_step(tape: Tape, network: Network, cell: Params, x: int) -> int:
    """h = W x + U u + b with the same W, U and b at every time step, and new inputs u."""
    n, sigma = cell.width, sigma_of(network, HIDDEN, cell.depth, cell.width)
    h = tape.multiply_tied(x, "W", n, cell.sigma_w if sigma is None else sigma)
    if network.sigma_u > 0.0:
        h = tape.add(h, tape.multiply_tied(tape.draw(n), "U", n, network.sigma_u))
    return tape.shift(h, cell.sigma_b, "b")


def layers_of(preactivation):
    """The writer of a network without branches: x = phi(norm(h)), or norm(phi(h))."""

    def write(tape: Tape, network: Network, cell: Params) -> int:
        x = tape.input
        for _ in range(cell.depth):
            h = preactivation(tape, network, cell, x)
            tape.end_layer(h)
            x = tape.activate(normalise(tape, network, h) if network.placement == "pre" else h)
            x = normalise(tape, network, x) if network.placement == "post" else x
        return x

    return write


def one_matrix(tape: Tape, network: Network, cell: Params, y: int) -> int:
    """The branch W phi(y) + b."""
    return one_layer(tape, network, cell, tape.activate(y))


def two_matrices(tape: Tape, network: Network, cell: Params, y: int) -> int:
    """The branch V phi(W y + b), or V (phi(G y) * U y)."""
    n, parts = inner_of(network, cell.width), 2 if network.gated else 1
    h = tape.shift(matrix(tape, network, cell, UP, y, n, parts), cell.sigma_b)
    return matrix(tape, network, cell, DOWN, tape.gate(h) if network.gated else tape.activate(h), cell.width)


def attention(tape: Tape, network: Network, cell: Params, y: int) -> int:
    """The branch W_O attend(W_QKV y), where values have a matrix of their own if they differ in sigma."""
    d, block = cell.width // network.heads, len(tape.layers) + 1
    queries, values = (sigma_of(network, kind, cell.depth, cell.width, block) for kind in (QUERIES, VALUES))
    if queries == values:
        parts = matrix(tape, network, cell, QUERIES, y, d, 3 * network.heads)
    else:
        of_queries = matrix(tape, network, cell, QUERIES, y, d, 2 * network.heads)
        parts = tape.join(of_queries, matrix(tape, network, cell, VALUES, y, d, network.heads))
    attended = tape.attend(parts, SCORES[network.scores](d), network.causal)
    return matrix(tape, network, cell, ATTENTION, attended, cell.width)


def add_branch(tape: Tape, network: Network, cell: Params, x: int, branch) -> int:
    """The stream after a branch, with norms before it, after it, at both ends, or on the sum."""
    y = normalise(tape, network, x) if network.placement in ("pre", "sandwich") else x
    y = branch(tape, network, cell, y)
    y = normalise(tape, network, y) if network.placement in ("sandwich", "output") else y
    x = tape.add(x, y, scale_of(network, cell.depth))
    return normalise(tape, network, x) if network.placement == "post" else x


def embed(tape: Tape, network: Network, cell: Params) -> int:
    """The inputs, or the rows of the embedding that they name."""
    if network.embedding == "none":
        return tape.input
    return tape.embed(tape.input, cell.width, network.vocabulary, network.sigma_embedding)


def outputs(tape: Tape, network: Network, x: int) -> int:
    """What the cost is of: x, or a last matrix times it, which is the embedding if it is tied."""
    if network.cost == "readout":
        return x
    return tape.unembed(x) if network.embedding == "tied" else tape.multiply(x, outputs_of(network))


def stream_of(*branches):
    """The writer of a residual network of these branches; where norms come before them, one ends the stream, too."""

    def write(tape: Tape, network: Network, cell: Params) -> int:
        x = embed(tape, network, cell)
        for _ in range(cell.depth):
            for branch in branches:
                x = add_branch(tape, network, cell, x, branch)
            tape.end_layer(x)
        return normalise(tape, network, x) if network.placement in ("pre", "sandwich") else x

    return write
