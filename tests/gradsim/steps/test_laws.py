"""Lazy matrices have the law of drawn ones after steps of training: two-sample tests of all that is recorded.

Kolmogorov and Smirnov's test of each quantity, step and layer, of what it changes from step to step, and rank
correlations of changes with errors. Of all tests together a false alarm has a probability of 1e-4. Errors
that are planted in the lazy matrices are seen: a fresh matrix at every pass, the history of the own side forgotten,
the projection forgotten, and a deviation that is 5 % off.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp, rankdata, ttest_ind

from gradsim.steps.matrices import LazyMatrix
from gradsim.steps.network import Networks
from gradsim.steps.observables import QUANTITIES
from gradsim.steps.problem import Problem
from gradsim.steps.simulate import simulate_training
from tests.gradsim.steps.oracle import recorded

FAMILY = 1e-4 / 5  # of five comparisons
CASES = {
    "tanh": {"width": 10, "depth": 3, "inputs": 3, "steps": 3, "learning_rate": 0.3, "sigma_w": 1.5,
             "momentum": 0.5, "weight_decay": 0.1, "clip": 0.5},
    "relu, biases, rank beyond width": {"activation": "relu", "width": 6, "depth": 2, "inputs": 2, "steps": 5,
             "learning_rate": 0.2, "sigma_w": 1.4, "sigma_b": 0.3},
    "gelu, softmax, mup": {"activation": "gelu", "width": 8, "depth": 3, "inputs": 3, "steps": 2,
             "learning_rate": 0.5, "sigma_w": 1.5, "cost": "softmax", "outputs": 3, "parametrisation": "mup"},
}  # fmt: skip


class Planted(LazyMatrix):
    """A lazy matrix with an error."""

    error = ""
    random = np.random.default_rng(5)

    def normals(self, shape):
        return self._deviation * self.random.normal(size=shape)

    def draw_images(self, own, other, count, role):
        factor = 1.05 if self.error == "deviation" else 1.0
        self._deviation *= factor
        super().draw_images(own, other, count, role)
        self._deviation /= factor
        if self.error == "no projection":
            basis, images = other.known
            added = own.rows[:, own.count : own.count + count]
            live = np.abs(added).max(-1, keepdims=True) > 0
            drawn = live * self.normals(added.shape) + added @ np.swapaxes(images, 1, 2) @ basis
            own.images[:, own.count : own.count + count] = drawn

    def _answer(self, c, own, other, update):
        earlier = own.count - self.problem_inputs
        if self.error == "fresh":
            own.images[:, : own.count] = self.normals(own.images[:, : own.count].shape)
        if self.error == "history" and earlier > 0:
            basis, images = other.known
            rows = own.rows[:, :earlier]
            drawn = self.normals(rows.shape)
            own.images[:, :earlier] = (
                drawn + (rows @ np.swapaxes(images, 1, 2) - drawn @ np.swapaxes(basis, 1, 2)) @ basis
            )
        return super()._answer(c, own, other, update)


def planted(error):
    """Networks whose lazy matrices have an error."""
    kind = type("Kind", (Planted,), {"error": error})

    class Wrong(Networks):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            for each in self.matrices[1:]:
                each.__class__ = kind
                each.problem_inputs = self.problem.inputs

    return Wrong


def lazy_sample(problem, count, make=Networks):
    """Values (quantities, steps + 1, depth + 1, networks), in blocks of one thread."""
    with np.errstate(all="ignore"):
        return recorded(problem, count, lazy=True, make=make)[1]


def explicit_sample(problem, count, method="explicit"):
    found = simulate_training(networks=count, **problem.model_dump() | {"method": method})
    return np.stack([np.moveaxis(found.values[name], 0, -1) for name in QUANTITIES])


def rows_of(values):
    """What is compared, by name: logarithms of sizes, and cosines; rounded, since dead networks tie."""
    with np.errstate(all="ignore"):
        logs = np.log(values)
    cosine = list(QUANTITIES).index("weight_grad_cosine")
    logs[cosine] = values[cosine]
    logs = np.round(np.nan_to_num(logs, nan=-2e6, posinf=1e6, neginf=-1e6), 9)
    named = {}
    for index in np.ndindex(logs.shape[:3]):
        name = f"{list(QUANTITIES)[index[0]]} t{index[1]} l{index[2] + 1}"
        if len(np.unique(logs[index][:50])) > 1:
            named[name] = logs[index]
            if index[1] > 0 and index[0] != cosine:
                named[f"growth of {name}"] = np.round(logs[index] - logs[index[0], index[1] - 1, index[2]], 9)
    return named


def p_values(first, second):
    """All tests by name."""
    one, two = rows_of(first), rows_of(second)
    assert one.keys() == two.keys()
    found = {name: ks_2samp(one[name], two[name], method="asymp").pvalue for name in one}
    last, depth = first.shape[1] - 1, first.shape[2] - 1
    for layer in range(1, depth + 1):
        for pair in (("h_change", "delta"), ("h_change", "h"), ("delta_change", "weight_grad")):
            names = [f"{name} t{last} l{layer}" for name in pair]
            both = [np.array([rows[name] for name in names]) for rows in (one, two)]
            ranks = rankdata(np.hstack(both), axis=1)
            products = np.prod(ranks - ranks.mean(1, keepdims=True), axis=0)
            halves = np.split(products, [both[0].shape[1]])
            found["correlation of " + " and ".join(names)] = ttest_ind(*halves, equal_var=False).pvalue
    return found


def worst(first, second):
    """The smallest p over what Bonferroni allows: below 1 is an alarm; with the test's name."""
    found = p_values(first, second)
    name = min(found, key=found.get)
    return found[name] * len(found) / FAMILY, name


def test_quick():
    problem = Problem(**CASES["tanh"])
    explicit = explicit_sample(problem, 1500)
    assert worst(explicit, lazy_sample(problem, 1500))[0] > 1
    assert worst(explicit, lazy_sample(problem, 1500, planted("no projection")))[0] < 1


def of_blocks(problem, count, make=Networks, size=500):
    """As `lazy_sample`, for so many that they do not fit in the cache: seeds tell blocks apart."""
    parts = [problem.model_copy(update={"seed": 1000 + first}) for first in range(0, count, size)]
    return np.concatenate([lazy_sample(part, size, make) for part in parts], axis=-1)


@pytest.mark.verify
@pytest.mark.parametrize("case", CASES)
def test_law(case):
    problem = Problem(**CASES[case])
    ratio, name = worst(explicit_sample(problem, 20_000), of_blocks(problem, 20_000))
    print(case, ratio * FAMILY, name)
    assert ratio > 1, name


@pytest.mark.verify
def test_law_of_both_methods():
    """As users call them, at a width where matrices stay lazy by themselves; 10,000 networks a side."""
    sizes = {"width": 96, "depth": 3, "inputs": 2, "steps": 3, "parametrisation": "mup", "sigma_b": 0.2, "sigma_w": 1.5}
    problem = Problem(learning_rate=0.5, momentum=0.5, **sizes)
    assert problem.lazy
    ratio, name = worst(*(explicit_sample(problem, 10_000, method) for method in ("explicit", "conditional")))
    print(ratio * FAMILY, name)
    assert ratio > 1, name


@pytest.mark.verify
@pytest.mark.parametrize("error", ["fresh", "history", "no projection", "deviation"])
def test_planted_errors_are_seen(error):
    problem = Problem(**CASES["tanh"])
    ratio, name = worst(explicit_sample(problem, 20_000), of_blocks(problem, 20_000, planted(error)))
    print(error, ratio * FAMILY, name)
    assert ratio < 1e-6
