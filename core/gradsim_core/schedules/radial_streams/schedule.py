"""The radial sampler for residual networks x' = x + alpha V phi(W y + b), y = x or rms(x): no vector is ever drawn.

phi has one slope on each side of 0, as in `radial`. Let N be the width, n the number of neurons between W and V, and s
the deviation of the entries of a matrix. A few numbers of a block have a law of their own, whatever N is.

*Forward.* Given |x|, f = phi(W y + b) is that of a plain layer: the number of positive elements of h = W y + b is
K ~ Binomial(n, 1/2), and |p|^2 = v^2 chi2_K, |m|^2 = v^2 chi2_(n-K) are the squares of its positive and its negative
part, which give |f|. Given f, V f has independent normal components of deviation tau = s |f|: tau z along x, and the
length tau sqrt(chi2_(N-1)) across it. They give |x'|, and the angle between x and x'.

*Backward.* Let delta be the error of x'. It is a function of x', later blocks and the readout, whose law is invariant
under rotations. So, given x' and this block, what delta has across x' has any direction: a normal number and a
chi2_(N-2) share it out to the plane of x and x', and to the rest. That gives delta . x, delta . V f, and of V^T e,
where e = alpha delta is the error of the branch, the component s (e . V f) / tau along f; across f it has normal
components of deviation s |e|. As in `radial` these give |u| and h . u of u = phi'(h) V^T e. Of W^T u they give the
component along x; across x it has normal components of deviation s |u|, independent of delta. So the error of x is

    along x: delta . x^ + (W^T u) . x^,    across x, squared: (P + s |u| g)^2 + s^2 |u|^2 chi2_(N-2),

with x^ = x / |x|, P the length of delta across x, and g normal. Its law is again invariant under rotations about x.

*Norms.* rms(x) = x / r, whether before, on or after the branch, is the norm of a vector of known length. Its backward
pass divides by r, and multiplies what is along x by epsilon / r^2 besides. A norm that subtracts the mean singles out a
direction, and x + alpha W phi(x) the axes: their lengths have no law of their own.

A thread keeps `ITEMS` numbers of each block, in float64; lengths have an exponent per network.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from gradsim_core import jit
from gradsim_core.lanes import LANES, aligned, load
from gradsim_core.rng.counts import Coins, fair_coins
from gradsim_core.schedules.radial_slopes import sides_of
from gradsim_core.schedules.side_by_side import deliver
from gradsim_core.schedules.streams.numbers import Factor, factor
from gradsim_core.schedules.streams.schedule import Form

from .backward import read_out, run_block_backward
from .forward import draw_input, run_block_forward, standardise
from .numbers import BEFORE, ITEMS


class RadialStreamWork(NamedTuple):
    """Arrays of one thread, flat, and the kind of the network."""

    coins: Coins
    zero: np.ndarray  # (16,) zeros in the precision of the run
    numbers: np.ndarray  # (depth + 2, ITEMS, 16), float64, see `numbers`
    sums: np.ndarray  # (3, depth, 16), float64
    exponents: np.ndarray  # (3, depth, 16), float64
    form: Form
    weight: Factor  # standard deviation of the entries of V
    first_weight: Factor  # of W
    bias: Factor
    alpha: Factor


class Entries(NamedTuple):
    """How matrices are drawn, for `radial.error_of`: entries are normal."""

    orthogonal: bool


def build(phi, dphi, log_phi, log_dphi, law):
    """The block kernel, to be compiled or interpreted (see `table.Schedule`)."""

    def run_block(cell, slopes, first, work, sums, exponents):
        """Run networks first .. first + count - 1; writes sums and exponents, both (3, count, depth)."""
        entries = Entries(False)
        for group in range(first // LANES, (first + sums.shape[1] - 1) // LANES + 1):
            like = load(work.zero, 0)
            x = draw_input(cell, group, work, like)
            sides = sides_of(slopes, x.exponent)
            for layer in range(1, cell.depth + 1):
                x = run_block_forward(sides, cell, group, layer, work, x, like)
            if work.form.before:
                x = standardise(cell, cell.depth + 1, work, BEFORE, x)
            error = read_out(cell, group, cell.depth, work, like)
            for layer in range(cell.depth, 0, -1):
                error = run_block_backward(entries, sides, cell, layer, work, error)
            deliver(work, group, first, sums, exponents)

    return run_block


def applies(law, depth, width):
    """Whether entries are independent and normal."""
    return law.name == "gaussian"


def memory(depth):
    """Numbers in a thread's arrays, in units of four bytes."""
    return LANES * (2 * ITEMS * (depth + 2) + 12 * depth)


def allocate(cell, dtype, law, form, sigmas):
    """Arrays of one thread for a cell and a kind of network; sigma of the last matrix of a block, and of the first."""
    deviations = sigmas[0] / math.sqrt(form.inner), sigmas[1] / math.sqrt(cell.width), cell.sigma_b, form.alpha
    double = (
        aligned(count * LANES, np.float64) for count in ((cell.depth + 2) * ITEMS, 3 * cell.depth, 3 * cell.depth)
    )
    return RadialStreamWork(fair_coins(form.inner), aligned(LANES, dtype), *double, form, *map(factor, deviations))


jit.register_leaves(__name__, inline=False)
