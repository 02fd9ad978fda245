"""Back-propagation with explicit weights: the forward and backward step, and the kernel that runs a block of networks.

Each vector has one exponent (see `per_vector`). For each network and layer the kernel returns three sums of squares,
of h^l, x^(l-1) and delta^l, with their exponents; `results.quantities` derives every quantity from them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned
from gradsim_core.laws import dense, gaussian, orthogonal
from gradsim_core.laws.dense import Strip
from gradsim_core.parameters import SUM_DELTA, SUM_H, SUM_X, Neuron, Weights
from gradsim_core.rng.draws import AHEAD, Source
from gradsim_core.rng.normals import fill_normals
from gradsim_core.rng.philox import ROLE_BIAS, ROLE_INPUT, ROLE_READOUT, ROLE_WEIGHT
from gradsim_core.scaling import per_element
from gradsim_core.scaling.per_vector import no_tail, sum_of_squares

from .along_neurons import activate, multiply_by_slope, preactivate


class Scales(NamedTuple):
    """Standard deviations, in the precision of the run: of the weights drawn, of biases, of the readout."""

    weight: float
    bias: float
    readout: float


class ExplicitWork(NamedTuple):
    """Arrays of one thread, in the precision of the run; padded is the width rounded up to a multiple of 16.

    Layers are stored in slots; slot s of `h` and `slope` begins at s * padded.
    """

    weights: np.ndarray  # of all layers, as `dense` or `orthogonal` store them
    words: np.ndarray  # scratch for the random words of a few counters, int32
    h: np.ndarray  # (depth * padded,) preactivations, as phi was evaluated at them
    slope: np.ndarray  # (depth * padded,) phi'(h)
    x: np.ndarray  # (padded,) activations of one layer
    b: np.ndarray  # (padded,) biases of one layer
    delta: np.ndarray  # (padded,) of one layer
    y: np.ndarray  # (padded,) W^T delta of the layer above, or the readout
    live: np.ndarray  # (padded,) 1 up to the width, then 0
    signed: np.ndarray  # scratch of `per_element`, float64; empty for laws without zeros
    scales: Scales


class Forward(NamedTuple):
    """What the forward pass hands from layer to layer."""

    exponent: int  # of x
    square: float  # |x|^2 in units of 4^exponent
    broken: float  # NaN once some h was not finite, else 0


def record(out, kind, n, layer, square, exponent):
    """Write a sum of squares and its exponent to `out`, the (sums, exponents) of a block.

    `kind` is SUM_H, SUM_X or SUM_DELTA; n counts networks of the block from 0, `layer` counts from 1.
    """
    sums, exponents = out
    sums[kind, n, layer - 1], exponents[kind, n, layer - 1] = square, exponent


def begin_forward(cell, network, work):
    """Draw the input of a network into work.x; returns the first `Forward` state."""
    fill_normals(cell, network, 0, ROLE_INPUT, work.live[0], work.live, work.x)
    return Forward(0, sum_of_squares(work.x, 0, len(work.live)), 0.0)


def forward_layer(neuron, source, work, start, out, n, state):
    """Compute x of a layer in work.x from W x, in work.h from `start` on; takes and returns the `Forward` state.

    n is the number of the network in the block, counted from 0.
    """
    cell, network, layer, _ = source
    record(out, SUM_X, n, layer, state.square, state.exponent)
    shift, square = preactivate(cell, network, layer, work, start, state.exponent)
    record(out, SUM_H, n, layer, square, shift)
    broken = state.broken + 0.0 * square
    exponent, square = activate(neuron, work, start, shift)
    return Forward(exponent, square, broken)


def begin_backward(cell, network, work, broken):
    """Draw the readout of a network into work.y; returns its exponent."""
    fill_normals(cell, network, 0, ROLE_READOUT, work.scales.readout, work.live, work.y)
    work.y[0] += broken  # NaN if some h was not finite, since comparisons in dphi may hide a NaN
    return 0


def backward_layer(neuron, work, start, out, n, layer, exponent):
    """Compute delta of the layer stored at `start` from y in work.y; takes the exponent of y, returns that of delta."""
    exponent, square = multiply_by_slope(neuron, work, start, exponent)
    record(out, SUM_DELTA, n, layer, square, exponent)
    return exponent


def networks_of_turn(turn, count, has_zeros):
    """The networks of a block that run forward and backward in a turn, counted from 0; `count` and -1 mean none."""
    if has_zeros:
        return (turn // 2, -1) if turn % 2 == 0 else (count, turn // 2)
    return turn, turn - 1


def build(phi, dphi, log_phi, log_dphi, law):
    """The block kernel of an activation and a weight law, to be compiled or interpreted (see `table.Schedule`)."""
    draw, has_zeros = gaussian if law.draw is None else law.draw, law.has_zeros
    strips, forward, backward = layout(law).strips, layout(law).forward, layout(law).backward
    has_tails = log_phi is not no_tail, log_dphi is not no_tail

    def run_block(cell, slopes, first, work, sums, exponents):
        """Run networks first .. first + count - 1; writes sums and exponents, both (3, count, depth).

        The backward pass of one network alternates, strip by strip, with the forward pass of the next, which refills
        the weights just read: half the memory traffic. With zeros, where a network may run again, they do not overlap.
        """
        neuron, out = Neuron(phi, dphi, log_phi, log_dphi, has_tails, slopes, cell.alpha), (sums, exponents)
        depth, padded, count = cell.depth, len(work.live), sums.shape[1]
        state, exponent, lost = Forward(0, 0.0, 0.0), 0, False
        for turn in range(2 * count if has_zeros else count + 1):
            ahead, behind = networks_of_turn(turn, count, has_zeros)
            if behind >= 0:
                exponent = begin_backward(cell, first + behind, work, state.broken)
            if ahead < count:
                state, lost = begin_forward(cell, first + ahead, work), False
            for step in range(1, depth + 1):
                slot, direction = (step - 1, 1) if turn % 2 == 0 else (depth - step, -1)
                start, source = slot * padded, Source(cell, first + ahead, step, ROLE_WEIGHT)
                if behind >= 0:
                    exponent = backward_layer(neuron, work, start, out, behind, depth + 1 - step, exponent)
                    if has_zeros and not lost:
                        lost = per_element.is_lost_backward(neuron, work, start)
                for index in range(strips(cell.width)):
                    if behind >= 0 and step < depth:
                        backward(cell, Strip(slot, index, direction), work)
                    if ahead < count:
                        forward(draw, source, Strip(slot, index, direction), work.scales.weight, work)
                if ahead < count:
                    state = forward_layer(neuron, source, work, start, out, ahead, state)
                    if has_zeros and not lost:
                        lost = per_element.is_lost_forward(neuron, cell, work, start)
            if has_zeros and behind >= 0 and lost:
                per_element.run_again(neuron, cell, first + behind, work, sums[:, behind], exponents[:, behind])

    return run_block


def layout(law):
    """The module that draws, stores and uses the weights of a law: `orthogonal` or `dense`."""
    return orthogonal if law.draw is None else dense


def allocate(cell, dtype, law):
    """Arrays of one thread for a cell."""
    padded = -(-cell.width // LANES) * LANES
    empty = lambda n: aligned(n, dtype)  # noqa: E731
    live = empty(padded)
    live[: cell.width] = 1
    scales = Scales(*np.array([law.deviation(cell), cell.sigma_b, 1.0 / math.sqrt(cell.width)], dtype))
    weights, words = empty(cell.depth * layout(law).layer_size(cell.width)), aligned(AHEAD * 4 * LANES, np.int32)
    h, slope = empty(cell.depth * padded), empty(cell.depth * padded)
    x, b, delta, y = (empty(padded) for _ in range(4))
    signed = aligned(per_element.workspace_size(cell.depth, padded) if law.has_zeros else 0, np.float64)
    return ExplicitWork(weights, words, h, slope, x, b, delta, y, live, signed, scales)


def applies(law, depth, width):
    """Whether it can run such networks: always."""
    return True


def memory(law, depth, width):
    """Numbers in a thread's arrays: weights and vectors of one network."""
    return depth * (width**2 + 3 * width)


def read_back(cell, network, work, law, call):
    """`Weights` of the network that ran last; `call` compiles or interprets a function."""
    vectors = np.zeros((cell.depth + 2, cell.width), work.x.dtype)
    call(draw_vectors)(cell, network, work, vectors)
    W = np.array([layout(law).matrix(work.weights, layer, cell.width) for layer in range(1, cell.depth + 1)])
    return Weights(vectors[0], W, vectors[1:-1], vectors[-1])


def draw_vectors(cell, network, work, out):
    """Draw input, biases of layers 1 .. L and readout of one network into the rows of `out` (L + 2, N)."""
    for row in range(len(out)):
        if row == 0:
            fill_normals(cell, network, 0, ROLE_INPUT, work.live[0], work.live, work.y)
        elif row <= cell.depth:
            fill_normals(cell, network, row, ROLE_BIAS, work.scales.bias, work.live, work.y)
        else:
            fill_normals(cell, network, 0, ROLE_READOUT, work.scales.readout, work.live, work.y)
        out[row] = work.y[: cell.width]


jit.register_leaves(__name__, inline=True)
