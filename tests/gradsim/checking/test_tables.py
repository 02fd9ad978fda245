"""Growth exponents, presets and laws of entries, families of names: each with an error that must be seen."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from gradsim.checking import presets
from gradsim.checking.blocks import Place, places
from gradsim.checking.growth import fit, interval
from gradsim.checking.rules.table import RULES, Rule, verdicts
from gradsim.checking.weights import LAWS, TRUNCATION, Moments

BLOCKS = np.arange(1.0, 13.0)


def profiles(slope, noise=0.1, networks=32, power=False):
    rng = np.random.default_rng(1)
    line = slope * (np.log(BLOCKS) if power else BLOCKS)
    return line + rng.normal(0.0, noise, (networks, 12)) + rng.normal(0.0, 1.0, (networks, 1))


@pytest.mark.parametrize("power", [False, True])
def test_exponents_lie_within_their_errors(power):
    """4.5 standard errors of 32 networks: false alarm in 1 of 10,000. A slope 10 % off is seen."""
    found = fit(profiles(0.5, power=power), np.log(BLOCKS) if power else BLOCKS)
    assert abs(found.exponent - 0.5) < 4.5 * found.se
    assert abs(found.exponent - 0.55) > 4.5 * found.se
    other = fit(profiles(0.5, power=power), BLOCKS if power else np.log(BLOCKS))
    assert found.residual < 0.5 * other.residual
    assert found.low < found.exponent < found.high


def test_intervals_cover():
    """95 % of 2,000 intervals, each of 8 values: 4 standard errors are 1.9 %. If 20 % too short, they cover 90 %."""
    values = np.random.default_rng(2).normal(size=(2000, 8))
    ends = np.array([interval(row) for row in values])
    assert np.mean((ends[:, 2] < 0.0) & (ends[:, 3] > 0.0)) == pytest.approx(0.95, abs=0.02)


DRAWS = {
    "uniform": lambda rng, shape: rng.uniform(-(3**0.5), 3**0.5, shape),
    "truncated_normal": lambda rng, shape: _cut(rng, shape) / TRUNCATION,
    "gaussian": lambda rng, shape: rng.normal(size=shape),
    "other": lambda rng, shape: rng.laplace(size=shape),
    "orthogonal": lambda rng, shape: np.linalg.qr(rng.normal(size=shape))[0],
    "constant": lambda rng, shape: np.ones(shape),
}


def _cut(rng, shape):
    values = rng.normal(size=(4 * shape[0] * shape[1],))
    return values[np.abs(values) < 2.0][: shape[0] * shape[1]].reshape(shape)


def moments_of(draw, shape=(64, 64), networks=8, seed=1):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng, found = np.random.default_rng(seed), Moments()
    for _ in range(networks):
        found.add(torch.from_numpy(draw(rng, shape)))
    return found


@pytest.mark.parametrize("name", DRAWS)
def test_laws_of_entries_are_told_apart(name):
    """At level 1e-4, with fixed seeds."""
    assert [moments_of(DRAWS[name], seed=seed).law(1e-4) for seed in range(5)] == [name] * 5


@pytest.mark.parametrize("name", ["uniform", "truncated_normal", "gaussian"])
def test_errors_of_std_and_kurtosis_are_those_of_samples(name):
    """Of 200 samples the spread is known to 5 %: four such errors."""
    found = [moments_of(DRAWS[name], (32, 32), 1, seed) for seed in range(200)]
    (law,) = (law for law in LAWS if law.name == name)
    spread = np.std([np.log(one.std) for one in found])
    assert spread == pytest.approx(np.mean([one.relative_error() for one in found]), rel=0.2)
    assert np.std([one.kurtosis for one in found]) == pytest.approx(law.error / 32, rel=0.25)


def test_small_vectors_keep_their_std():
    """10 entries of 400 networks: known to 1 %. About the mean of each network it would come out 5 % too small."""
    found = moments_of(DRAWS["uniform"], (2, 5), 400)
    assert found.std == pytest.approx(1.0, abs=4 * found.relative_error())
    assert found.relative_error() < 0.011
    assert found.law(1e-4) == "uniform"


def test_presets_fit_by_value_and_law():
    """1 in 1,000 models has a matrix that does not fit its preset; a std that is 3 % off never fits."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from torch import nn
    from torch.nn import init

    import gradsim as gs

    def build(times=1.0):
        model = nn.Sequential(*(nn.Linear(96, 64, bias=False) if index % 2 == 0 else nn.Linear(64, 96, bias=False)
                                for index in range(6)))  # fmt: skip
        fills = (init.xavier_uniform_, init.xavier_normal_, init.kaiming_normal_, init.orthogonal_, _normal_002,
                 lambda weight: init.trunc_normal_(weight, 0.0, 0.02, -0.04, 0.04))  # fmt: skip
        for layer, fill in zip(model, fills, strict=True):
            fill(layer.weight)
            with torch.no_grad():
                layer.weight *= times
        return model, torch.randn(2, 96)

    found = gs.check(build, networks=8, progress="none")
    names = found.parameters["presets"].tolist()
    assert names[0] == "xavier_uniform"
    assert names[1] == "xavier_normal"
    assert names[2] == "he_normal"
    assert names[3] == "orthogonal"
    assert names[4] == "gpt2"
    assert names[5] is None or names[5] != names[5]  # 0.0176: cut at 2 without correction
    assert found.parameters["law"].tolist()[5] == "truncated_normal"
    assert "xavier_normal" in set(found.presets.loc[found.presets["parameter"] == "0.weight", "preset"])  # value alone
    off = gs.check(lambda: build(1.03), networks=8, progress="none")
    assert off.parameters["presets"].isna().all()


def _normal_002(weight):
    from torch.nn import init

    init.normal_(weight, 0.0, 0.02)


def test_families_are_names_that_differ_by_one_index():
    kinds = {f"layers.{layer}.mlp.{part}": "Linear" for layer in range(4) for part in (0, 2)}
    found = places(kinds | {"head": "Linear", "stages.0.x": "A", "stages.1.x": "A"})
    assert found["layers.3.mlp.2"] == Place("layers.*.mlp.2", 4)
    assert found["head"] == Place("head", None)
    assert found["stages.1.x"] == Place("stages.1.x", None)  # two are too few
    chain = places({str(index): ("Linear", "ReLU")[index % 2] for index in range(20)})
    assert chain["18"] == Place("* [Linear]", 10)
    assert chain["19"] == Place("* [ReLU]", 10)


def test_a_rule_is_one_function_and_one_row():
    from gradsim.checking.rules.finding import Finding

    rule = Rule("mine", "networks", "here", lambda facts: [Finding(("a", "b"), f"{facts} networks.")])
    found = verdicts(8, [rule])
    assert found.to_dict("records") == [{"rule": "mine", "places": "a, b", "verdict": "8 networks.", "source": "here"}]
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.source and rule.looks_at for rule in RULES)


def test_importing_gradsim_loads_no_torch():
    import subprocess

    code = "import gradsim as gs, sys; gs.check, gs.Check, gs.expected_band; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_presets_are_as_their_sources_write_them():
    """For a matrix of 48 inputs and 64 outputs, in block 3 of 5, of a model with 10 branches; and one outside."""
    inside, outside = presets.Matrix(48, 64, 3, 5, 10), presets.Matrix(48, 64, 0, 0, 0)
    glorot = (2 / 112) ** 0.5
    expected = {
        "xavier_uniform": glorot, "xavier_normal": glorot, "he_uniform": (2 / 48) ** 0.5, "he_normal": (2 / 48) ** 0.5,
        "he_fan_out": (2 / 64) ** 0.5, "lecun": 48**-0.5, "lecun_fan_out": 64**-0.5, "pytorch_linear": 144**-0.5,
        "tanh_gain": 5 / 3 * 48**-0.5, "orthogonal": 64**-0.5, "gpt2": 0.02, "gpt2_residual": 0.02 / 10**0.5,
        "llama_block": 0.02 / 6**0.5, "deepnorm": glorot * 40**-0.25, "ntk": 1.0, "mup_output": 1 / 48,
    }  # fmt: skip
    assert {row.name: row.std(inside) for row in presets.PRESETS} == pytest.approx(expected, rel=1e-12)
    unknown = {row.name for row in presets.PRESETS if np.isnan(row.std(outside))}
    assert unknown == {"gpt2_residual", "llama_block", "deepnorm"}
    assert presets.PRESETS[0].laws == ("uniform",)
