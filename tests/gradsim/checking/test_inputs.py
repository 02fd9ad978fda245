"""Unusual models, batches and numbers: measured, or refused with the remedy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

import gradsim as gs
from gradsim.errors import SweepError

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn


def check(*arguments, **options):
    return gs.check(*arguments, **({"networks": 8, "progress": "none"} | options))


def test_a_factory_returns_one_thing_or_two():
    for made in ((nn.Linear(4, 4), torch.ones(2, 4), torch.ones(2)), (nn.Linear(4, 4),), (torch.ones(2), nn.ReLU())):
        with pytest.raises(SweepError, match=r"\(model, batch\)") as error:
            check(lambda made=made: made)
        assert error.value.field == "model"


def test_lazy_modules_get_their_shapes():
    def build():
        return nn.Sequential(nn.LazyLinear(6), nn.Tanh(), nn.Linear(6, 3)), torch.randn(4, 5)

    found = check(build).parameters.set_index("parameter")
    assert found.loc["0.weight", "shape"] == "6 x 5"
    assert found.loc["0.weight", "std"] == pytest.approx(15**-0.5, rel=0.2)  # U(-1/sqrt 5, 1/sqrt 5), 240 entries
    model, batch = build()
    assert check(model, batch).parameters["std"].tolist()[0] == pytest.approx(15**-0.5, rel=0.2)
    assert torch.nn.parameter.is_lazy(model[0].weight)


def test_lazy_modules_that_are_not_called_are_refused():
    class Idle(nn.Linear):
        def __init__(self):
            super().__init__(4, 4)
            self.idle = nn.LazyLinear(3)

    with pytest.raises(SweepError, match="not lazy"):
        check(lambda: (Idle(), torch.randn(2, 4)))


def test_instances_that_cannot_be_copied_are_refused():
    model = nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d())
    with pytest.raises(SweepError, match="can copy"):
        check(model, torch.randn(3, 5))
    assert check(lambda: (nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d()), torch.randn(3, 5))).sound


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_scripted_modules_are_refused():
    with pytest.raises(SweepError, match=r"before torch\.jit\.script"):
        check(lambda: (nn.Sequential(torch.jit.script(nn.Linear(3, 3))), torch.randn(2, 3)))


class Pair(NamedTuple):
    x: torch.Tensor
    sizes: object


class Sized(nn.Linear):
    def forward(self, x, sizes):
        return super().forward(x) * sizes["scale"]


class Packed(nn.GRU):
    def forward(self, x):
        assert isinstance(x, nn.utils.rnn.PackedSequence)
        return super().forward(x)[0].data


def test_named_tuples_and_packed_sequences_are_batches():
    assert check(lambda: (Sized(4, 4), Pair(torch.randn(3, 4), {"scale": 2.0}))).sound
    assert check(lambda: (Sized(4, 4), {"x": torch.randn(3, 4), "sizes": {"scale": torch.ones(3, 4)}})).sound
    for wrap in (lambda packed: packed, lambda packed: (packed,), lambda packed: {"x": packed}):

        def build(wrap=wrap):
            packed = nn.utils.rnn.pack_sequence([torch.randn(5, 4), torch.randn(3, 4)])
            return Packed(4, 6), wrap(packed)

        assert np.isfinite(check(build).parameters["log_weight_grad"]).all()


def test_sums_without_gradient_are_no_residual_sums():
    class Watching(nn.Sequential):
        def forward(self, x):
            with torch.no_grad():
                self.size = (self[0].weight + self[1].weight).norm()
                self.offset = x + self[0](x)
            return super().forward(x)

    found = check(lambda: (Watching(nn.Linear(8, 8), nn.Linear(8, 8)), torch.randn(4, 8)))
    assert not found.laws["law"].eq("residual stream").any()


def test_numbers_of_numpy_are_numbers():
    def build():
        return nn.Linear(8, 8), torch.randn(2, 8)

    found = check(build, networks=np.int64(8), seed=np.uint8(3))
    assert type(found.networks) is type(found.seed) is int
    assert found.modules.equals(check(build, seed=3).modules)
    for wrong in (8.0, "8", True, np.True_, None, 7, 2**31 + 1):
        with pytest.raises(SweepError, match="networks"):
            check(build, networks=wrong)


@pytest.mark.parametrize("share", ["a", None, True, float("nan"), 0.0, 1, [0.5]])
def test_shares_of_a_band_are_numbers(share):
    with pytest.raises(SweepError) as error:
        gs.expected_band(share=share)
    assert error.value.field == "share"
