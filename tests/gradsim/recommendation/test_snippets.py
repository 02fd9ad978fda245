"""Each snippet is run where its framework is installed, and the weights that it makes are measured."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from math import sqrt

import pytest

from gradsim.errors import SweepError
from gradsim.recommendation.snippets import FRAMEWORKS, Weights, snippet
from gradsim_core.laws import LAWS

WIDTH, SIGMA_W, SIGMA_B = 400, 1.3, 0.2

# Each makes a layer of WIDTH inputs from a snippet, and gives its weights and biases as NumPy arrays.
_RUN = {
    "pytorch": """
        scope = {"model": __import__("torch").nn.Linear(400, 400)}
        exec(code, scope)
        weight, bias = (part.detach().numpy() for part in (scope["model"].weight, scope["model"].bias))
    """,
    "flax": """
        import jax
        scope = {}
        exec(code, scope)
        made = scope["layer"].init(jax.random.key(1), jax.numpy.ones((1, 400)))["params"]
        weight, bias = np.asarray(made["kernel"]), np.asarray(made["bias"])
    """,
    "keras": """
        scope = {}
        exec(code, scope)
        scope["layer"].build((None, 400))
        weight, bias = (np.asarray(part) for part in scope["layer"].get_weights())
    """,
}
_MODULES = {"pytorch": ("torch",), "flax": ("flax", "jax"), "keras": ("keras", "jax")}
_MEASURE = """
import json, os, sys, textwrap
os.environ["KERAS_BACKEND"] = "jax"
import numpy as np
found = []
for code in json.load(sys.stdin):
    {run}
    product = weight.T @ weight
    found.append({{
        "shape": weight.shape, "std": float(weight.std()), "largest": float(abs(weight).max()),
        "kurtosis": float((weight**4).mean() / (weight**2).mean() ** 2), "bias": float(bias.std()),
        "orthogonal": float(abs(product / product[0, 0] - np.eye(400)).max()),
    }})
print(json.dumps(found))
"""


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_it_sets_the_law_and_the_standard_deviations(framework: str):
    for module in _MODULES[framework]:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    laws = [law for law in LAWS if snippet(framework, Weights(law, SIGMA_W, SIGMA_B, WIDTH))]
    codes = [snippet(framework, Weights(law, SIGMA_W, bias, WIDTH)) for law in laws for bias in (SIGMA_B, 0.0)]
    run = "\n    ".join(line.strip() for line in _RUN[framework].strip().splitlines())
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE.format(run=run)], input=json.dumps(codes), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    for k, found in enumerate(measured):
        law, std = laws[k // 2], SIGMA_W / sqrt(WIDTH)
        # 160,000 weights: 1 % is more than five standard errors; 400 biases: 20 % is 5.6.
        assert found["shape"] == [WIDTH, WIDTH]
        assert found["std"] == pytest.approx(std, rel=0.01)
        assert found["bias"] == pytest.approx(SIGMA_B if k % 2 == 0 else 0.0, rel=0.2)
        kurtosis = {"gaussian": 3.0, "uniform": 1.8, "truncated_normal": 2.3655367, "orthogonal": 3.0}[law]
        assert found["kurtosis"] == pytest.approx(kurtosis, abs=0.06)
        assert (found["orthogonal"] < 1e-4) == (law == "orthogonal")
        if law == "truncated_normal":
            assert found["largest"] < 2.2736945 * std
        if law == "uniform":
            assert found["largest"] < sqrt(3.0) * std * 1.00001


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_laws_that_a_framework_lacks_have_none(framework: str):
    assert {law for law in LAWS if snippet(framework, Weights(law, 1.0, 0.0, 8)) is None} == {"rademacher", "sparse"}


def test_an_unknown_framework_is_refused():
    with pytest.raises(SweepError, match="one of pytorch, flax, keras"):
        snippet("torch", Weights("gaussian", 1.0, 0.0, 8))
