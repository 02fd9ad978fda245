"""Networks are drawn anew by each seed, and instances as their copies."""

from __future__ import annotations

from copy import deepcopy

import pytest

import gradsim as gs
from gradsim.checking import instance
from gradsim.checking.instance import Instance
from gradsim.checking.models import _reset
from gradsim.errors import SweepError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn
from torch.nn import init


def check(*arguments, **options):
    return gs.check(*arguments, **({"networks": 8, "progress": "none"} | options))


def pair(width=8):
    return nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 3))


def test_factories_that_set_the_seed_are_refused():
    def build(before):
        if before:
            torch.manual_seed(0)
        model = pair()
        if not before:
            torch.manual_seed(0)
        return model, torch.randn(4, 8)

    with pytest.raises(SweepError, match=r"without torch\.manual_seed"):
        check(lambda: build(True))
    assert len(check(lambda: build(False)).parameters) == 4  # only the batch is the same


def test_networks_that_are_the_same_for_every_seed_are_refused():
    trained = pair()
    batch = torch.randn(4, 8)

    def isolated():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return pair(), torch.randn(4, 8)

    for model in (lambda: (trained, batch), lambda: (deepcopy(trained), torch.randn(4, 8)), isolated):
        with pytest.raises(SweepError, match="equal in all networks"):
            check(model)
    with pytest.raises(SweepError, match="equal in all networks"):
        check(trained, batch, init=lambda copy: None)


def test_identities_and_partly_loaded_networks_are_measured():
    trained = nn.Linear(8, 8)

    def identity():
        model = pair()
        for parameter in model.parameters():
            init.eye_(parameter) if parameter.ndim == 2 else init.zeros_(parameter)
        return model, torch.randn(4, 8)

    for build in (identity, lambda: (nn.Sequential(deepcopy(trained), nn.Linear(8, 3)), torch.randn(4, 8))):
        assert len(check(build).parameters) == 4


def deviation(model, networks=16, seed=1):
    """Return what the comparison finds, without passes."""
    torch.manual_seed(seed)
    found = Instance(model)
    for _ in range(networks):
        copy = deepcopy(model)
        copy.apply(_reset)
        found.add(copy)
    return found.deviation()


def relu_chain(width=30, depth=8):
    torch.manual_seed(3)
    layers = [make() for _ in range(depth) for make in (lambda: nn.Linear(width, width), nn.ReLU)]
    return nn.Sequential(*layers)


@torch.no_grad()
def _larger(model, factor=1.1):
    for parameter in model.parameters():
        parameter *= factor


PLANTED = {
    "He": (lambda model: [init.kaiming_normal_(layer.weight) for layer in model[::2]], "0.weight", "std 0.25"),
    "a small matrix": (lambda model: init.normal_(model[4].weight, 0.0, 0.2), "4.weight", "std 0.198"),
    "a zero bias": (lambda model: init.zeros_(model[2].bias), "2.bias", "only 0"),
    "a constant": (lambda model: init.constant_(model[2].bias, 0.1), "2.bias", "only 0.1"),
    "a mean": (lambda model: init.uniform_(model[6].weight, 0.0, 0.1825), "6.weight", "mean 0.09"),
    "an orthogonal matrix": (lambda model: init.orthogonal_(model[0].weight, 3**-0.5), "0.weight", "entries of an"),
    "all a little": (_larger, "", "and the like"),
    "not a number": (lambda model: init.constant_(model[0].bias, float("nan")), "0.bias", "entries that are not"),
    "two alike": (lambda model: model[2].load_state_dict(model[0].state_dict()), "2.weight", "the entries of 0.weight"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_differences_of_small_instances_are_found(name):
    change, parameter, words = PLANTED[name]
    model = relu_chain()
    assert deviation(model) is None
    change(model)
    found = deviation(model)
    assert found is not None
    assert found.parameter == parameter or not parameter
    assert words in found.given


@pytest.mark.parametrize(
    ("module", "change", "words"),
    [
        (lambda: nn.Embedding(10, 16), lambda module: init.normal_(module.weight, 0.0, 50.0), "std"),
        (lambda: nn.Embedding(4, 3), lambda module: init.normal_(module.weight, 0.0, 5.0), "std"),
        (lambda: nn.Embedding(60, 60), lambda module: init.uniform_(module.weight, -(3**0.5), 3**0.5), "kurtosis"),
        (lambda: nn.Linear(1, 1), lambda module: init.constant_(module.weight, 100.0), "std 100"),
        (lambda: nn.Linear(4, 1), lambda module: init.zeros_(module.bias), "only 0"),
        (lambda: nn.LayerNorm(4), lambda module: init.constant_(module.weight, 1.01), "only 1.01"),
        (lambda: nn.LayerNorm(4), lambda module: init.normal_(module.bias), "entries from"),
        (lambda: nn.GRU(3, 2), lambda module: init.normal_(module.weight_hh_l0, 0.0, 5.0), "std"),
    ],
)
def test_differences_of_few_entries_are_found(module, change, words):
    torch.manual_seed(2)
    model = module()
    assert deviation(model, 32) is None
    change(model)
    assert words in deviation(model, 32).given


def test_few_instances_of_their_own_law_are_refused(monkeypatch):
    """At 5 %, half of it after all copies: of 100 at most 10, a false alarm of 1e-4. Most with one std 8 % off are."""
    monkeypatch.setattr(instance, "LEVEL", 0.05)

    def build(seed):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(6, 1), nn.Embedding(7, 5), nn.GRU(2, 3), nn.LayerNorm(4), nn.Embedding(40, 50))

    def lost(change):
        count = 0
        for seed in range(100):
            model = build(seed)
            change(model[4])
            count += deviation(model, 8, seed + 1000) is not None
        return count

    assert lost(lambda module: None) <= 10
    assert lost(lambda module: init.normal_(module.weight, 0.0, 1.08)) > 80


def test_parts_of_pytorch_are_initialised_as_their_constructors_do():
    torch.manual_seed(1)
    encoder = nn.TransformerEncoderLayer(16, 2, 24, batch_first=True)
    whole = nn.Transformer(8, 2, 1, 1, 12, batch_first=True)
    parts = [nn.Conv2d(3, 4, 3), nn.BatchNorm1d(5), nn.LSTM(4, 6, 2), nn.PReLU(), nn.Bilinear(3, 4, 5),
             nn.Embedding(9, 4, padding_idx=0)]  # fmt: skip
    for part in (encoder, whole, *parts):
        assert deviation(part) is None, part
    found = check(encoder, torch.randn(4, 6, 16)).parameters.set_index("parameter")
    assert found.loc["self_attn.out_proj.bias", "std"] == 0.0


def test_a_small_instance_with_its_own_initialisation_is_refused():
    model, batch = relu_chain(), torch.randn(4, 30)
    assert len(check(model, batch).parameters) == 16
    PLANTED["He"][0](model)
    with pytest.raises(SweepError, match=r"std 0\.2\d* in 0\.weight.*gives what it has \(here std 0\.10\d\).*init="):
        check(model, batch)
    model = relu_chain()
    _larger(model)  # which two copies do not show
    with pytest.raises(SweepError, match="and the like elsewhere"):
        check(model, batch)
