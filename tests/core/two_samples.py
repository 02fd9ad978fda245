"""Two-sample tests of the samplers that draw no weights, against explicit back-propagation."""

from __future__ import annotations

import numpy as np
from scipy import stats

from gradsim_core import jit
from gradsim_core.scaling.per_vector import no_tail
from gradsim_core.schedules import conditional


def same_correlation(a, b):
    """p-value for equal rank correlation in two samples of pairs (2, networks): Welch's t of the products of ranks."""
    ranks = stats.rankdata(np.hstack([a, b]), axis=1)
    products = np.prod(ranks - ranks.mean(axis=1, keepdims=True), axis=0)
    return stats.ttest_ind(*np.split(products, [a.shape[1]]), equal_var=False).pvalue


def p_values(explicit, sampled):
    """KS in every quantity and layer, rank correlations between layers and quantities, and the numbers of dead.

    Values are rounded to 1e-4, since some are constant, such as the gain of a linear network of Haar matrices.
    """
    (values, status), (others, other_status) = explicit, sampled
    values, others = np.round(values, 4), np.round(others, 4)
    for name, code in (("dead", 1), ("not finite", 2)):
        counts = [[(s == code).sum(), (s != code).sum()] for s in (status, other_status)]
        yield name, stats.fisher_exact(counts).pvalue
    values, others = values[:, status == 0], others[:, other_status == 0]
    if min(values.shape[1], others.shape[1]) < 30:  # then the counts have said it all
        return
    depth = values.shape[2]
    for quantity in range(4):
        for layer in range(depth - (quantity == 3)):
            pair = values[quantity, :, layer], others[quantity, :, layer]
            yield f"KS {quantity} {layer + 1}", stats.ks_2samp(*pair).pvalue
    pairs = [((q, 0), (q, layer)) for q in range(3) for layer in {1, depth // 2, depth - 1}]
    pairs += [((q, layer), (r, layer)) for q, r in ((0, 2), (0, 1), (1, 2)) for layer in (0, depth - 1)]
    for (q, layer), (r, other) in pairs:
        a, b = (np.array([v[q, :, layer], v[r, :, other]]) for v in (values, others))
        yield f"correlation {q} {layer + 1} with {r} {other + 1}", same_correlation(a, b)


def compare(cell, activation, law, networks, *, planted=1.0, build=False, schedule=conditional, **numbers):
    """All p-values of a cell, the methods under different keys.

    `numbers` are the cell's; `planted` is a factor of the sampler's sigma_w alone, and 1 where nothing is wrong. The
    module of a schedule has the name of its method.
    """
    method = schedule.__name__.rpartition(".")[2]
    numbers = {"dtype": "float32", "sigma_w": 1.3, "sigma_b": 0.0, "depth": 6} | numbers
    dtype, sigma_w = numbers.pop("dtype"), numbers.pop("sigma_w")
    explicit = cell(activation, law, dtype, sigma_w=sigma_w, key=11, **numbers)
    sampled = cell(activation, law, dtype, method, sigma_w=sigma_w * planted, key=12, **numbers)
    if build:  # anew, with what a test has put in place of parts of it
        one, law = sampled.machine.activation, sampled.machine.law
        body = schedule.build(one.phi, one.dphi, one.log_phi or no_tail, one.log_dphi or no_tail, law)
        kernel, slopes = jit.compile_kernel(body, disk_cache=False), sampled.machine._slopes
        sampled.machine._run = lambda cell, *rest: kernel(cell, slopes, *rest)
    return list(p_values(explicit.block(networks), sampled.block(networks)))


def lowest_p_value(*arguments, **options):
    """The least of them, times their number."""
    found = compare(*arguments, **options)
    return min(p for _, p in found) * len(found)
