"""Training by words: recipes, what is refused, and numbers that depend on the recipe alone."""

from __future__ import annotations

import numpy as np
import pytest

from gradsim.errors import SweepError
from gradsim.lessons.images import load_images
from gradsim.training import STARTS, Data, Recipe, draw_starts, train, trainer_for

RNG = np.random.default_rng(2)
SMALL = Data(RNG.normal(size=(40, 12)).astype(np.float32), np.eye(3, dtype=np.float32)[np.arange(40) % 3])


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("activation", "sigmoud", "sigmoid"), ("cost", "cross", "cross_entropy"), ("start", "xaver", "xavier"),
        ("normalisation", "bach", "batch"), ("hidden", (30, 0), "widths from 1"), ("epochs", -1, "whole number"),
        ("batch", 0, "None"), ("eta", np.nan, "finite"), ("momentum", 1.0, "below 1"), ("clip", 0.0, "> 0"),
        ("dtype", "float16", "float32"), ("replicas", 0, "whole number"), ("seed", -1, "whole number"),
        ("l2", np.inf, "finite"), ("start", "normal(x)", "one finite number"), ("start", "xavier(3)", "no parameter"),
        ("start", "normal(-1)", "a number > 0"), ("start", "normal(0)", "a number > 0"),
        ("cost", "softmax(2)", "no parameter"),
    ],
)  # fmt: skip
def test_bad_recipes_are_refused(field, value, says):
    with pytest.raises(SweepError, match=field) as error:
        Recipe(**{field: value})
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", "100"), ("epochs", True), ("replicas", 3.0), ("eta", "0.1"), ("eta", True), ("batch", "7"),
        ("hidden", ("30",)), ("hidden", (True, 2)), ("hidden", "33"), ("residual", 1), ("residual", "yes"),
        ("seed", np.float64(1.0)), ("cost", 3), ("clip", "inf"),
    ],
)  # fmt: skip
def test_nothing_is_taken_for_a_number(field, value):
    with pytest.raises(SweepError, match=field):
        Recipe(**{field: value})


def test_numbers_of_numpy_are_numbers():
    sizes = {"hidden": np.array([3, 4]), "epochs": np.int64(2), "eta": np.float32(0.5), "residual": np.bool_(True)}
    assert Recipe(**sizes) == Recipe(hidden=[3, 4], epochs=2, eta=0.5, residual=True)
    assert Recipe(eta=1).eta == 1.0


def test_unknown_keys_are_refused_with_the_nearest():
    with pytest.raises(SweepError, match="momentum"):
        Recipe(momentun=0.9)


@pytest.mark.parametrize("batch", [None, 7])
def test_numbers_do_not_depend_on_threads(batch):
    recipe = Recipe(hidden=(5, 5), epochs=4, batch=batch, replicas=5)
    one, four = (train(recipe, SMALL, threads=threads) for threads in (1, 4))
    assert one.history.equals(four.history)
    assert one.layers.equals(four.layers)
    assert not one.history[one.history["replica"] == 0]["cost"].equals(one.history[one.history["replica"] == 1]["cost"])


def test_more_replicas_and_epochs_change_no_earlier_number(monkeypatch):
    few = train(Recipe(hidden=(5,), epochs=3, batch=9, replicas=2), SMALL).history
    monkeypatch.setitem(train.__globals__, "CALL_SAMPLES", 80)  # two epochs a call
    many = train(Recipe(hidden=(5,), epochs=6, batch=9, replicas=4), SMALL).history
    both = many[(many["replica"] < 2) & (many["epoch"] <= 3)].reset_index(drop=True)
    assert both.equals(few)


def test_training_reports_every_epoch():
    done = []
    train(Recipe(hidden=(5,), epochs=3, replicas=4), SMALL, report=done.append)
    assert sum(done) == 12


def test_what_has_overflowed_is_not_lost_from_the_history():
    """The cost is inf from then on, in the last value and the median too, and every answer counts as wrong."""
    recipe = Recipe(hidden=(8,) * 8, activation="selu", start="he", eta=1e6, epochs=5, replicas=3)
    last = train(recipe, SMALL).history.groupby("replica").last()
    assert (last["cost"] == np.inf).all()
    assert (last["error"] == 1).all()


def test_training_learns_the_digits():
    """One hidden layer, ten epochs: an error far below that of guessing."""
    trained = train(Recipe(hidden=(30,), epochs=10, batch=10, eta=0.5, replicas=2), load_images())
    last = trained.history.groupby("replica").last()
    assert (last["error"] < 0.3).all()
    assert (trained.layers.query("epoch == 0")["moved"] == 0).all()


@pytest.mark.parametrize("start", [*STARTS, "normal(4)"])
def test_starts_have_their_deviations(start):
    recipe = Recipe(hidden=(100, 100), start=start, activation="tanh", replicas=1)
    trainer = trainer_for(recipe, SMALL)
    from gradsim_core.training.layout import views

    drawn = views(trainer.network, draw_starts(recipe, SMALL, trainer)[0])
    for (weights, biases, _), (spread_w, spread_b) in zip(drawn, recipe.spreads(12, 3), strict=True):
        assert abs(weights.std() / spread_w - 1) < 5 / np.sqrt(2 * weights.size)
        assert abs(biases.std() - spread_b) <= 6 * spread_b / np.sqrt(2 * biases.size)


def test_variants_start_alike():
    """The same seed gives the same weights with another activation or normalisation: a paired comparison."""
    one, other = (
        train(Recipe(hidden=(5,), epochs=0, replicas=1, activation=name, normalisation=kind), SMALL).starts[0][0]
        for name, kind in (("sigmoid", "none"), ("relu", "layer"))
    )
    np.testing.assert_array_equal(one, other)


def test_data_as_tensors_and_lists():
    torch = pytest.importorskip("torch")
    recipe, images = Recipe(hidden=(5,), epochs=1, replicas=1), SMALL.images.round(1).astype(np.float16)
    expected = train(recipe, Data(images, SMALL.targets)).history
    tensor = torch.tensor(images.astype(np.float64), requires_grad=True)
    for given in (tensor, tensor.detach().float(), images.tolist()):
        assert train(recipe, Data(given, torch.tensor(SMALL.targets, dtype=torch.bfloat16))).history.equals(expected)


@pytest.mark.parametrize("change", [
    {"images": SMALL.images[:-1]}, {"images": SMALL.images[0]}, {"images": [[1.0, 2.0], [3.0]]},
    {"images": SMALL.images.astype(str)}, {"images": SMALL.images[:, :0]}, {"targets": None},
    {"targets": SMALL.targets + 1j},
])  # fmt: skip
def test_data_that_are_no_tables(change):
    with pytest.raises(SweepError, match="row"):
        train(Recipe(hidden=(5,), epochs=1, replicas=1), SMALL._replace(**change))
