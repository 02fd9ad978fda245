"""`simulate_training`: what its numbers depend on, its table, what it refuses, and networks that diverge."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs
from gradsim.errors import SweepError
from gradsim.steps import simulate
from gradsim.steps.costs import COSTS
from gradsim.steps.observables import QUANTITIES
from gradsim.steps.problem import Problem
from gradsim.steps.result import statistics
from gradsim.steps.simulate import simulate_training

LAZY = {"width": 256, "depth": 2, "sigma_w": 1.5, "learning_rate": 0.2, "inputs": 4, "steps": 3}
DRAWN = LAZY | {"width": 40}


def equal(one, other, count=None):
    return all(
        np.array_equal(one.values[name][:count], other.values[name][:count], equal_nan=True) for name in QUANTITIES
    )


@pytest.mark.parametrize("problem", [LAZY, DRAWN], ids=["lazy", "drawn"])
def test_networks_depend_on_neither_threads_nor_their_number(problem, monkeypatch):
    whole = simulate_training(networks=9, threads=1, **problem)
    assert equal(whole, simulate_training(networks=9, threads=2, **problem))
    assert equal(whole, simulate_training(networks=4, **problem), 4)
    monkeypatch.setattr(simulate, "BLOCK", 1)  # a network a block
    assert equal(whole, simulate_training(networks=9, **problem))
    assert not equal(whole, simulate_training(networks=9, **problem, seed=2))


def test_more_steps_begin_alike():
    short, longer = (simulate_training(networks=2, **LAZY | {"steps": steps}) for steps in (2, 3))
    for name in QUANTITIES:
        assert longer.values[name][:, :3] == pytest.approx(short.values[name], rel=1e-9, abs=1e-12, nan_ok=True)


def test_variants_of_training_start_alike():
    one = simulate_training(networks=2, **LAZY)
    other = simulate_training(networks=2, **LAZY | {"learning_rate": 0.4, "momentum": 0.5, "clip": 1.0})
    assert np.array_equal(one.h[:, 0], other.h[:, 0])
    assert not np.array_equal(one.h[:, 1], other.h[:, 1])


def test_methods_have_networks_of_their_own():
    conditional, explicit = (
        simulate_training(networks=2, **DRAWN, method=name) for name in ("conditional", "explicit")
    )
    assert not (conditional.h == explicit.h).any()


@pytest.mark.parametrize(("width", "lazy"), [(191, False), (192, True)])
def test_matrices_are_drawn_where_their_rows_exceed_a_third_of_the_width(width, lazy):
    assert Problem(**LAZY | {"width": width, "inputs": 8}).lazy is lazy  # 2 * 8 * 4 rows
    assert not Problem(**LAZY | {"width": width, "inputs": 8, "method": "explicit"}).lazy


def test_float32_is_float64_rounded():
    one, other = (
        simulate_training(networks=2, **LAZY, parametrisation="mup", dtype=name) for name in ("float64", "float32")
    )
    for name in ("h", "x", "delta", "weight_grad", "h_change", "cost"):
        assert other.values[name] == pytest.approx(one.values[name], rel=1e-3, nan_ok=True)


def test_no_steps_are_initialisation():
    found = simulate_training(networks=3, **LAZY | {"steps": 0})
    assert found.h.shape == (3, 1, 3)
    assert (found.h_change == 0).all()
    assert found.weight_grad_cosine == pytest.approx(1.0)
    assert found.h[:, 0, 0] == pytest.approx(1.5, rel=0.1)  # sqrt of sigma_w^2 |x|^2 / N


def test_a_small_step_lowers_the_cost():
    found = simulate_training(
        networks=20, **LAZY | {"steps": 10, "learning_rate": 0.05}, parametrisation="ntk", cost="softmax"
    )
    assert (np.diff(found.cost[:, :, -1], axis=1) < 0).all()
    assert found.cost[:, 0, -1].mean() == pytest.approx(np.log(10), rel=0.3)


def test_a_pair_of_the_user_trains_as_the_table_does():
    own = gs.Activation("mine", lambda h: h if h > 0 else 0.0, lambda h: 1.0 if h > 0 else 0.0)
    one, other = (simulate_training(activation, networks=2, **LAZY) for activation in ("relu", own))
    assert equal(one, other)


@pytest.mark.parametrize("name", COSTS)
def test_costs_have_their_gradient(name):
    random = np.random.default_rng(1)
    outputs, targets = random.normal(size=(2, 3, 4, 5))
    _, gradient = COSTS[name].evaluate(outputs, targets)
    for index in np.ndindex(outputs.shape):
        ends = []
        for sign in (1, -1):
            moved = outputs.copy()
            moved[index] += sign * 1e-5
            ends.append(COSTS[name].evaluate(moved, targets)[0][index[0]])
        assert gradient[index] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-9)


def test_the_table():
    found = simulate_training(networks=30, **LAZY)
    table = found.table()
    assert len(table) == 4 * (7 * 3 + 2 * 2 + 1)  # steps; of all layers, of hidden ones, of the readout
    row = table.query("step == 3 and layer == 2 and quantity == 'h_change'").iloc[0]
    values = found.h_change[:, 3, 1]
    assert row["quenched"] == pytest.approx(np.log(values).mean())
    assert row["mean"] == pytest.approx(values.mean())
    assert row["q05"] < row["q25"] < row["median"] < row["q75"] < row["q95"]
    assert (table["nonfinite"] == 0).all()
    assert set(found.table("h")["quantity"]) == {"h"}


def test_diverged_networks_are_counted():
    options = LAZY | {"learning_rate": 1e9, "steps": 6}
    found = simulate_training("relu", networks=5, **options, dtype="float32")
    assert (found.status == 2).all()
    assert np.isfinite(found.h[:, 0]).all()
    last = found.table(["h"]).query("step == 6 and layer == 1").iloc[0]
    assert last["nonfinite"] == last["networks"] == 5
    assert last["median"] == np.inf
    assert "diverged=5" in repr(found)


def test_dead_networks_are_not_diverged():
    found = simulate_training("relu", networks=200, **LAZY | {"width": 2, "inputs": 1})
    dead = found.delta[:, 0, 0] == 0
    assert 0.2 < dead.mean() < 0.9
    assert (found.status[dead] == 0).all()
    row = found.table(["delta"]).query("step == 0 and layer == 1").iloc[0]
    assert row["dead"] == dead.sum()


def test_statistics_of_few():
    row = statistics("h", np.array([np.nan, 0.0, np.inf]))
    assert (row["dead"], row["nonfinite"], row["mean"]) == (1, 2, 0.0)
    assert np.isnan(row["quenched"])
    assert row["q95"] == np.inf
    assert np.isnan(statistics("weight_grad_cosine", np.array([np.nan]))["median"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("activation", "tanhh"), ("width", 0), ("depth", 2.5), ("sigma_w", -1.0), ("sigma_b", -1.0), ("inputs", 0),
        ("steps", -1), ("learning_rate", 0.0), ("learning_rate", np.inf), ("momentum", 1.0), ("weight_decay", 6.0),
        ("clip", 0.0), ("cost", "hinge"), ("parametrisation", "mupp"), ("method", "radial"), ("dtype", "float16"),
        ("seed", -1), ("networks", 0), ("networks", True), ("threads", 0), ("progress", "loud"), ("rate", 0.1),
    ],
)  # fmt: skip
def test_refused(field, value):
    with pytest.raises(SweepError) as error:
        simulate_training(**LAZY | {field: value})
    assert error.value.field == field
    assert error.value.remedy


def test_softmax_needs_two_outputs():
    with pytest.raises(SweepError, match="outputs = 1 is refused"):
        simulate_training(**LAZY, cost="softmax", outputs=1)


def test_missing_options_are_named():
    with pytest.raises(SweepError, match="learning_rate is missing"):
        simulate_training(width=10, depth=2, sigma_w=1.0)


def test_too_large_networks_are_refused():
    with pytest.raises(SweepError, match="width = 10000000 is refused") as error:
        simulate_training(**LAZY | {"width": 10**7}, method="explicit")
    assert "GiB" in str(error.value)


def test_unknown_quantity_and_attribute():
    found = simulate_training(networks=1, **DRAWN)
    with pytest.raises(SweepError, match="quantities"):
        found.table(["q"])
    with pytest.raises(AttributeError):
        _ = found.q
    assert "h_change" in dir(found)
    assert "TrainingSteps" in found._repr_html_()


def test_a_pair_is_compiled_for_what_it_uses():
    """Two functions of one text and name, with other values."""

    def pair(slope):
        return gs.Activation("mine", lambda h: slope * h, lambda h: slope)

    one, other = (simulate_training(pair(slope), networks=1, **DRAWN) for slope in (1.0, 2.0))
    assert other.h[0, 0, 1] == pytest.approx(2.0 * one.h[0, 0, 1])


def test_a_pair_that_cannot_be_compiled_is_refused():
    with pytest.raises(SweepError, match="activation = 'mine' is refused"):
        simulate_training(gs.Activation("mine", lambda h: [h][-1] if h > -9 else str(h), lambda h: 1.0), **DRAWN)
