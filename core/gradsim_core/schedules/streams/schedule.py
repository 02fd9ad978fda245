"""The conditional sampler for networks with a stream or norms, of one input: sixteen networks side by side.

A block of a residual network adds a branch to its stream x, with one matrix or two, and norms on the way::

    x' = x + alpha (W phi(x) + b)        x' = x + alpha V phi(W x + b)

and a plain network with norms is the first kind with nothing to add to. Every matrix meets one vector forward and one
backward, so the formulas of `conditional` apply: with z and g standard normal and P the projector orthogonal to x,

    W x = s |x| z,    W^T e = s (x (z . e) / |x| + |e| P g).

The error of the stream persists. So the backward pass needs x and z of every block. x is stored as
[layer][neuron][lane], and z is what x gains from block to block (`adding`); phi, phi' and g are computed again. Between
the two matrices of a block nothing persists, and the inner products of `one_pass` suffice. Norms are those of
`operations.standardise`; `sites` has them.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned
from gradsim_core.parameters import Neuron
from gradsim_core.scaling.per_vector import no_tail
from gradsim_core.schedules.one_pass import FEW, KEPT
from gradsim_core.schedules.side_by_side import deliver, rows

from .blocks import read_out, run_block_backward, run_forward
from .numbers import ITEMS, Factor, factor
from .sites import Activated

REMEMBERED = 7e6
"""Bytes of x, phi and phi' of all layers up to which a thread stores phi and phi', too, unless phi is two lines: about
as fit a cache. At depth 32 and widths 256 and 1,024 tanh takes 7 % less time if they are stored, and relu 7 % more."""


class Form(NamedTuple):
    """The kind of a network.

    Attributes
    ----------
    skip
        Whether branches are added to a stream; else the network is plain.
    two
        Whether a branch has two matrices, with `inner` numbers between them.
    before, output, after
        Whether there are norms before the activation or the branch, after the branch, and after the sum (of a plain
        network: after the activation).
    centred
        Whether norms subtract the mean.
    epsilon
        What they add to the variance.
    alpha
        The factor of every branch.
    inner
        How many numbers are between two matrices.
    narrow
        Whether the products of vectors with their errors are carried from layer to layer (see `narrow`).
    """

    skip: bool
    two: bool
    before: bool
    output: bool
    after: bool
    centred: bool
    epsilon: float
    alpha: float
    inner: int
    narrow: bool


class StreamWork(NamedTuple):
    """Arrays of one thread, flat, in the precision of the run unless said otherwise, and the kind of the network."""

    words: np.ndarray  # scratch for the random words of a few counters, int32
    stream: np.ndarray  # (depth + 1, rows, 16) x
    z: np.ndarray  # (depth, rows, 16) normals of the last matrix of each block, where `stored`
    error: np.ndarray  # (rows, 16) error of the stream
    activated: Activated  # (rows, 16) each: where branches leave the stream; x, slope of all layers if they fit
    between: Activated  # (rows of inner, 16) each: between two matrices
    few: np.ndarray  # scratch for a few neurons
    layers: np.ndarray  # (depth, KEPT, 16) inner products between two matrices
    numbers: np.ndarray  # (depth + 1, ITEMS, 16), float64, see `numbers`
    far: np.ndarray  # (depth + 1,) bool: whether an activation was computed by the steps for any range
    stored: np.ndarray  # (depth + 1,) bool: whether z of a layer is stored
    inner_far: np.ndarray  # (depth + 1,) bool: the same between two matrices
    sums: np.ndarray  # (3, depth, 16), float64
    exponents: np.ndarray  # (3, depth, 16), float64
    form: Form
    fits: bool  # whether phi and phi' of all layers may be stored
    remembers: np.ndarray  # (1,) bool: whether phi and phi' of all layers are stored
    weight: Factor  # standard deviation of the entries of W, or of V
    first_weight: Factor  # of the first of two matrices
    bias: Factor
    alpha: Factor


def build(phi, dphi, log_phi, log_dphi, law):
    """The block kernel of an activation, for all kinds, to be compiled or interpreted (see `table.Schedule`)."""
    has_tails = log_phi is not no_tail, log_dphi is not no_tail

    def run_block(cell, slopes, first, work, sums, exponents):
        """Run networks first .. first + count - 1; writes sums and exponents, both (3, count, depth)."""
        neuron = Neuron(phi, dphi, log_phi, log_dphi, has_tails, slopes, cell.alpha)
        work.remembers[0] = work.fits and slopes.zero != slopes.infinity
        for group in range(first // LANES, (first + sums.shape[1] - 1) // LANES + 1):
            broken = run_forward(neuron, cell, group, work)
            read_out(neuron, cell, group, work, broken)
            for layer in range(cell.depth, 0, -1):
                run_block_backward(neuron, cell, group, layer, work)
            deliver(work, group, first, sums, exponents)

    return run_block


def applies(law, depth, width):
    """Whether entries are independent and normal."""
    return law.name == "gaussian"


def remembers(depth, width, itemsize):
    """Whether phi and phi' of all layers may be stored."""
    return 3 * (depth + 1) * rows(width) * LANES * itemsize <= REMEMBERED


def memory(form, depth, width):
    """About how many numbers a thread's arrays hold: x, z, perhaps phi and phi', and the vectors of a layer."""
    vectors = (4 if remembers(depth, width, 4) else 2) * (depth + 1) + 6
    between = 4 * form.inner if form.two else 4 * width
    return LANES * (vectors * width + between + (2 * ITEMS + KEPT + 12) * (depth + 1)) + 6 * FEW * 4 * LANES


def _arrays(n, dtype, layers):
    """Arrays of `Activated`, with so many layers of x and slope."""
    h, x, slope, g = (aligned(count * rows(n) * LANES, dtype) for count in (1, layers, layers, 1))
    return Activated(h, x, slope, g)


def allocate(cell, dtype, law, form, sigmas):
    """Arrays of one thread for a cell and a kind of network; sigma of the last matrix of a block, and of the first."""
    depth, size = cell.depth, rows(cell.width) * LANES
    empty = lambda n: aligned(n, dtype)  # noqa: E731
    double = lambda n: aligned(n * LANES, np.float64)  # noqa: E731
    inner = form.inner if form.two else cell.width
    deviations = sigmas[0] / math.sqrt(inner), sigmas[1] / math.sqrt(cell.width), cell.sigma_b, form.alpha
    fits = remembers(depth, cell.width, np.dtype(dtype).itemsize)
    flags = (np.zeros(depth + 1, np.bool_) for _ in range(3))
    return StreamWork(
        aligned(2 * FEW * 4 * LANES, np.int32), empty((depth + 1) * size), empty(depth * size), empty(size),
        _arrays(cell.width, dtype, depth + 1 if fits else 1), _arrays(inner, dtype, 1),
        empty(4 * FEW * 4 * LANES), empty(depth * KEPT * LANES),
        double((depth + 1) * ITEMS), *flags, double(3 * depth), double(3 * depth), form,
        fits, np.zeros(1, np.bool_), *map(factor, deviations),
    )  # fmt: skip


jit.register_leaves(__name__, inline=True)
