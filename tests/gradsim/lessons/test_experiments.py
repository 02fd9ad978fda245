"""Experiments of the lessons against independent computations: sums over paths, and chains whose weights grow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from gradsim.lessons.experiments import growing, paths
from gradsim.lessons.lesson import Settings


def cost(weights, biases) -> float:
    a = paths.INPUTS
    for w, b in zip(weights, biases, strict=True):
        a = special.expit(w @ a + b)
    return float((a[0] - paths.TARGET) ** 2 / 2)


@pytest.mark.parametrize("seed", range(5))
def test_paths_add_up_to_the_derivative(seed):
    """To 1e-12 of back-propagation, and to 1e-6 of central differences of a cost that is computed here."""
    weights, biases = paths.draw(seed)
    table = paths.sum_over_paths(weights, biases)
    totals = paths.totals(table)
    assert len(table) == weights[0].size * np.prod([len(b) for b in biases[1:]])
    assert not table.duplicated(["to", "input", "path"]).any()
    np.testing.assert_allclose(totals["product"], totals["backprop"], rtol=1e-12, atol=0)
    for (to, entry), row in totals.iterrows():
        costs = []
        for step in (1e-4, -1e-4):
            moved = [w.copy() for w in weights]
            moved[0][to - 1, entry - 1] += step
            costs.append(cost(moved, biases))
        assert row["product"] == pytest.approx((costs[0] - costs[1]) / 2e-4, rel=1e-5, abs=1e-11)


def test_a_missing_path_is_noticed():
    table = paths.sum_over_paths(*paths.draw(1))
    totals = paths.totals(table.drop(index=4))
    assert np.abs(totals["product"] / totals["backprop"] - 1).max() > 1e-3


def test_growing_chains_match_plain_gradient_descent(monkeypatch):
    """The factors are those of gradient descent written out in NumPy, from the same start."""
    monkeypatch.setattr(growing, "CHECKPOINTS", (0, 3, 40))
    table = growing.factors_through_training(1, Settings(seed=5))
    first = table[table["epoch"] == 0]["w"].to_numpy()
    x, y = (column[:, 0] for column in growing.step_data())
    w, b = _start(first)
    for _ in range(40):
        a1 = special.expit(w[0] * x + b[0])
        a2 = special.expit(w[1] * a1 + b[1])
        d3 = special.expit(w[2] * a2 + b[2]) - y
        d2 = d3 * w[2] * a2 * (1 - a2)
        d1 = d2 * w[1] * a1 * (1 - a1)
        w = w - growing.ETA * np.array([(d1 * x).mean(), (d2 * a1).mean(), (d3 * a2).mean()])
        b = b - growing.ETA * np.array([d1.mean(), d2.mean(), d3.mean()])
    ended = table[table["epoch"] == 40].set_index("layer")
    np.testing.assert_allclose(ended["w"], w[:2], rtol=1e-9)
    a1 = special.expit(w[0] * x + b[0])
    slopes = a1 * (1 - a1)
    assert ended["largest"][1] == pytest.approx(np.abs(w[0] * slopes).max(), rel=1e-9)
    assert ended["share"][1] == (np.abs(w[0] * slopes) >= 1).mean()


def _start(first):
    """Weights and biases at the start, drawn as `train` draws them; the weights are those of the table."""
    from gradsim.training import Recipe, draw_starts, trainer_for
    from gradsim_core.training.layout import views

    recipe = Recipe(hidden=growing.HIDDEN, epochs=0, eta=growing.ETA, replicas=1, seed=5, dtype="float64")
    data = growing.step_data()
    trainer = trainer_for(recipe, data)
    parts = views(trainer.network, draw_starts(recipe, data, trainer)[0])
    w, b = np.array([part[0][0, 0] for part in parts]), np.array([part[1][0] for part in parts])
    np.testing.assert_array_equal(w[:2], first)
    return w, b


def test_weights_grow_until_a_factor_exceeds_1():
    table = growing.factors_through_training(8, Settings(seed=2))
    largest = table.groupby(["epoch", "replica"])["largest"].max().unstack()
    assert (largest.loc[0] < 1).all()
    assert (largest.iloc[-1] > 1).mean() >= 0.9
    assert (table["largest"] <= table["w"].abs() / 4 + 1e-12).all()  # sigma' is at most 1/4
