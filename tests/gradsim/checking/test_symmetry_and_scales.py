"""Constant matrices, streams without norms, structures that vary, and the scale of branches in every place.

Models have fixed seeds and lie far from the thresholds, each of which is passed by chance in 1 of 10,000 checks.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import gradsim as gs

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from torch import nn
from torch.nn import functional

from gradsim.checking.facts import Facts
from gradsim.checking.measurements import measure
from gradsim.checking.models import Networks
from gradsim.checking.rules.finding import times_exp
from tests.gradsim.checking import models


def check(build, networks=8):
    return gs.check(build, networks=networks, progress="none")


class Skipping(nn.Module):
    """Layers that are skipped at random, as LayerDrop does, or whose activation is drawn."""

    def __init__(self, skip):
        super().__init__()
        self.layers, self.skip = nn.ModuleList(nn.Linear(16, 16) for _ in range(6)), skip

    def forward(self, x):
        for layer in self.layers:
            if torch.rand(()) < 0.6:
                x = torch.relu(layer(x))
            elif not self.skip:
                x = torch.tanh(layer(x))
        return x


@pytest.mark.parametrize("skip", [True, False])
def test_chains_that_vary_between_networks_are_left_out_and_said(skip):
    found = check(lambda: (Skipping(skip), torch.randn(4, 16)))
    assert found.sound
    assert found.laws["places"].tolist() == ["model"]
    assert "Networks differ" in found.laws["reason"].iloc[0]
    assert "Networks differ" in found.text()


def filled(act, fill, dtype=torch.float32):
    """Return six layers whose parameters `fill` sets, given the number of the layer and the layer."""

    def build():
        layers = [make() for _ in range(6) for make in (lambda: nn.Linear(16, 16, dtype=dtype), act)]
        for number, layer in enumerate(layers[::2]):
            fill(number, layer)
        return nn.Sequential(*layers, nn.Linear(16, 4, dtype=dtype)), torch.randn(4, 16, dtype=dtype)

    return build


def all_at(value, layers=range(6)):
    def fill(number, layer):
        for parameter in layer.parameters() if number in layers else ():
            nn.init.constant_(parameter, value)

    return fill


@pytest.mark.parametrize("act", [nn.ReLU, nn.Tanh])
@pytest.mark.parametrize("value", [0.1, 0.01, -1.0])
def test_constant_matrices_are_named(act, value):
    found = check(filled(act, all_at(value)))
    (row,) = found.verdicts.itertuples()
    assert (row.rule, row.places) == ("constant matrix", "*.weight")
    assert f"({value:g})" in row.verdict
    assert "std 0.25 " in row.verdict
    assert found.text()


def test_a_constant_matrix_among_random_ones_is_named():
    found = check(filled(nn.Tanh, all_at(0.3, [2]))).verdicts
    assert "constant matrix" in set(found["rule"])


def test_the_remedy_for_constant_matrices_makes_them_sound():
    def fill(number, layer):
        nn.init.normal_(layer.weight, 0.0, 0.25 * 5 / 3)
        nn.init.constant_(layer.bias, 0.1)

    assert check(filled(nn.Tanh, fill)).sound


class Scales(nn.Module):
    """Constants on purpose: two-dimensional scales, depthwise averages, one output, identities."""

    def __init__(self):
        super().__init__()
        self.norm, self.scale = nn.LayerNorm((6, 8)), nn.Parameter(torch.full((6, 8), 0.5))
        self.blur = nn.Conv1d(6, 6, 3, padding=1, groups=6, bias=False)
        self.head, self.identities = nn.Linear(8, 1), nn.ModuleList(nn.Linear(8, 8) for _ in range(3))
        nn.init.constant_(self.blur.weight, 1.0 / 3.0)
        nn.init.constant_(self.head.weight, 0.1)
        for one in self.identities:
            nn.init.eye_(one.weight)

    def forward(self, x):
        x = self.blur(self.norm(x) * self.scale)
        for one in self.identities:
            x = torch.tanh(one(x))
        return self.head(x)


def test_constants_on_purpose_are_sound():
    assert check(lambda: (Scales(), torch.randn(4, 6, 8))).sound


def at(std):
    return lambda number, layer: nn.init.normal_(layer.weight, 0.0, std)


def zero_at(*layers):
    return all_at(0.0, layers)


EXTREMES = {
    "nan": (all_at(float("nan")), torch.float32, "not finite"),
    "inf": (all_at(float("inf")), torch.float32, "not finite"),
    "huge": (at(1e100), torch.float64, "not finite"),
    "large": (at(1e20), torch.float64, "gain"),
    "tiny": (at(1e-38), torch.float32, "dead networks"),
    "square below float64": (at(1e-200), torch.float64, "dead networks"),
    "zeros first": (zero_at(0, 1), torch.float32, "zeroed matrix"),
    "zeros but one": (zero_at(1, 2, 3, 4, 5), torch.float32, "no gradient"),
    "zeros": (zero_at(*range(6)), torch.float32, "no gradient"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", EXTREMES)
def test_numbers_at_the_ends_of_their_range_have_a_verdict(name):
    fill, dtype, rule = EXTREMES[name]
    found = check(filled(nn.ReLU, fill, dtype))
    assert rule in set(found.verdicts["rule"])
    assert found.text()


def test_laws_without_error_have_no_z():
    """One unit and orthogonal weights: every network has the same gain."""
    model = lambda: (nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(4))), torch.randn(4, 1))  # noqa: E731

    def build():
        layers, batch = model()
        for layer in layers:
            nn.init.orthogonal_(layer.weight)
        return layers, batch

    assert check(build).laws["z"].isna().all()


def test_factors_beyond_float64_are_words():
    assert [times_exp(log) for log in (0.0, 1000.0, -1000.0)] == ["1", "1e+434", "1e-434"]


class Branch(nn.Module):
    """A branch of one matrix, or two, with a norm or not, whose end is multiplied by `times`."""

    def __init__(self, width, matrices, norm, times=1.0, act=functional.relu):
        super().__init__()
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.layers = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(matrices))
        self.act, self.alone = act, matrices == 1
        for layer in self.layers:
            nn.init.normal_(layer.weight, 0.0, (2.0 / width) ** 0.5)
        nn.init.normal_(self.layers[-1].weight, 0.0, times * (2.0 / width) ** 0.5)

    def forward(self, x):
        h = self.act(self.layers[0](self.norm(x)))
        return h if self.alone else self.layers[1](h)


class Residual(nn.Module):
    def __init__(self, depth, *arguments, width=48, **options):
        super().__init__()
        self.begin, self.end = nn.Linear(width, width), nn.Linear(width, 4)
        self.blocks = nn.ModuleList(Branch(width, *arguments, **options) for _ in range(depth))

    def forward(self, x):
        x = self.begin(x)
        for block in self.blocks:
            x = x + block(x)
        return self.end(x)


def residual(*arguments, **options):
    return lambda: (Residual(*arguments, **options), torch.randn(4, 48))


def facts_of_stream(build):
    measured = measure(Networks(build, None, None), 8, 1, lambda share: None)
    (one,) = Facts(measured, pd.DataFrame()).streams
    return one


@pytest.mark.parametrize(("depth", "matrices"), [(12, 1), pytest.param(32, 1, marks=pytest.mark.verify)])
def test_streams_that_explode_have_a_remedy_that_works(depth, matrices):
    found = check(residual(depth, matrices, False), 8)
    (row,) = found.verdicts.itertuples()
    times = float(re.search(r"branches by about ([\d.e-]+), as", row.verdict)[1])
    foretold = float(re.search(r"grows by ([\d.]+) at most", row.verdict)[1])
    assert (row.rule, row.places) == ("exploding stream", f"blocks.*.layers.{matrices - 1}.weight")
    remedied = residual(depth, matrices, False, times)
    assert check(remedied).sound
    assert 0.2 < facts_of_stream(remedied).log_growth.mean() < np.log(foretold) + 0.1


def test_a_gradient_that_explodes_alone_is_found():
    """Branches of saturated tanh: the stream grows by a power, its gradient by a factor with every sum."""
    steep = lambda h: torch.tanh(5.0 * h)  # noqa: E731
    (row,) = check(residual(16, 1, False, act=steep)).verdicts.itertuples()
    assert row.rule == "exploding stream"


@pytest.mark.parametrize(
    ("depth", "matrices", "norm", "times"),
    [(24, 1, True, 24**-0.5), (6, 2, True, 1.0), (24, 2, False, 0.1), (16, 2, False, 0.0), (3, 1, False, 1.0)],
)
def test_streams_that_grow_little_are_sound(depth, matrices, norm, times):
    assert check(residual(depth, matrices, norm, times)).sound


@pytest.mark.parametrize(
    ("depth", "matrices", "norm"), [(12, 2, False), pytest.param(12, 2, True, marks=pytest.mark.verify), (24, 1, True)]
)
def test_growth_with_the_scale_of_branches_is_what_the_verdict_says(depth, matrices, norm):
    """To 25 %, whether growth is additive, behind norms, or multiplicative; additive without norms it was 75 times."""
    (row,) = check(residual(depth, matrices, norm)).verdicts.itertuples()
    foretold = float(re.search(r"with it, by about ([\d.]*\d)", row.verdict)[1])
    assert row.rule == "depth scale missing"
    remedied = residual(depth, matrices, norm, depth**-0.5)
    assert check(remedied).sound
    assert np.exp(0.5 * facts_of_stream(remedied).log_growth.mean()) == pytest.approx(foretold, rel=0.25)


class Lists(nn.Module):
    """The parts of all branches in lists of their own, post-norm or pre-norm."""

    def __init__(self, depth=12, width=48, post=False, up_times=1.0, down_times=1.0, wide=4):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.ups = nn.ModuleList(nn.Linear(width, wide * width) for _ in range(depth))
        self.downs = nn.ModuleList(nn.Linear(wide * width, width) for _ in range(depth))
        self.begin, self.post = nn.Linear(width, width), post
        for matrices, times in ((self.ups, up_times), (self.downs, down_times)):
            for matrix in matrices:
                nn.init.normal_(matrix.weight, 0.0, times * (2.0 / matrix.weight.shape[1]) ** 0.5)

    def forward(self, x):
        x = self.begin(x)
        for norm, up, down in zip(self.norms, self.ups, self.downs, strict=True):
            branch = down(functional.relu(up(x if self.post else norm(x))))
            x = norm(x + branch) if self.post else x + branch
        return x


def lists(**options):
    return lambda: (Lists(**options), torch.randn(4, 48))


@pytest.mark.parametrize(
    ("options", "rule", "place"),
    [
        ({}, "depth scale missing", "downs.*.weight"),
        ({"up_times": 12**-0.5}, "depth scale misplaced", "ups.*.weight"),
        ({"down_times": 1 / 12}, "depth scale twice", "downs.*.weight"),
        ({"post": True, "depth": 30}, "post-norm too deep", "downs.*.weight"),
    ],
)
def test_matrices_of_branches_are_matched_across_lists(options, rule, place):
    (row,) = check(lists(**options)).verdicts.itertuples()
    assert (row.rule, row.places) == (rule, place)
    assert rule != "depth scale misplaced" or "that of downs.*.weight is" in row.verdict


def test_the_scale_of_branches_in_lists_is_sound():
    assert check(lists(down_times=12**-0.5)).sound


@pytest.mark.parametrize("depth", [4, pytest.param(12, marks=pytest.mark.verify)])
@pytest.mark.parametrize("scaled", [("up",), ("value",)])
def test_a_scale_on_the_wide_matrix_is_misplaced(depth, scaled):
    (row,) = check(lambda: models._text(models.GPT(depth=depth, scaled=scaled))).verdicts.itertuples()
    assert row.rule == "depth scale misplaced" or "tied head" in row.rule
    assert all(f"blocks.*.{'mlp' if name == 'up' else 'attn'}.{name}.weight" in row.places for name in scaled)
    assert "blocks.*.mlp.down.weight" in row.verdict


def test_the_gain_of_a_chain_says_what_it_counts():
    (verdict,) = check(filled(nn.ReLU, at(0.05))).verdicts["verdict"]
    assert "Back from the last of its 6 matrices to the first" in verdict
