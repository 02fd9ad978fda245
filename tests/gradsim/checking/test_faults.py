"""Planted faults are found, and sound models raise none.

Each threshold is passed by chance in 1 of 10,000 checks of a model that lies exactly on it; these lie far from it, and
their seeds are fixed.
"""

from __future__ import annotations

import re

import numpy as np
import pytest

import gradsim as gs

pytest.importorskip("torch", reason="PyTorch is not installed")

from tests.gradsim.checking import models
from tests.gradsim.checking.models import FAULTY, SOUND

# The rule that is meant to find each fault, and what its verdict must name: place and remedy.
EXPECTED = {
    "depth scale on the query": ("depth scale misplaced", "layers.*.attn.query.weight", "layers.*.mlp.w3.weight"),
    "fan_out for fan_in": ("fan_out for fan_in", "0.weight", 'mode="fan_in"'),
    "truncation without correction": ("truncation without correction", "*.weight", "0.8796"),
    "no depth scale": ("depth scale missing", "layers.*.mlp.w3.weight", "sqrt(24)"),
    "embedding at 0.6": ("branches drowned", "wte.weight", "At std 0.02 "),
    "gain of tanh with relu": ("gain", "0 … 30", "the gain of tanh, before relu"),
    "depth scale twice": ("depth scale twice", "blocks.*.attn.out.weight", "to 0.005"),
    "post-LN at Xavier": ("post-norm too deep", "layers.*.mlp.down.weight", "the stream by 2.63"),
    "zeroed branch": ("zeroed matrix", "layers.5.mlp.w3.weight", "7 other blocks"),
    "tied head": ("tied head", "wte.weight", "sqrt(64)"),
}


of_some_networks = pytest.mark.parametrize("networks", [16, pytest.param(32, marks=pytest.mark.verify)])


@of_some_networks
@pytest.mark.parametrize("name", SOUND)
def test_sound_models_raise_no_verdict(name, networks):
    found = gs.check(SOUND[name], networks=networks, progress="none")
    assert found.sound, list(found.verdicts["verdict"])


@of_some_networks
@pytest.mark.parametrize("name", FAULTY)
def test_faults_are_named_with_place_and_remedy(name, networks):
    found = gs.check(FAULTY[name], networks=networks, progress="none").verdicts
    rule, place, remedy = EXPECTED[name]
    (row,) = found[found["rule"] == rule].itertuples()
    assert place in row.places
    assert remedy in row.verdict
    assert row.source
    also = {"embedding at 0.6": {"tied head"}, "tied head": {"branches drowned"}}
    assert set(found["rule"]) - {rule} <= also.get(name, set())  # one cause, one verdict


def test_the_remedy_does_what_the_verdict_says():
    """The growth that is foretold for the scaled model is the one that is measured with it, to 5 %."""
    growth, foretold = {}, 0.0
    for scaled in ((), ("out", "w3")):
        found = gs.check(lambda scaled=scaled: models._text(models.Llama(depth=12, scaled=scaled)), progress="none")
        rows = found.growth[(found.growth["place"] == "layers.*") & (found.growth["quantity"] == "activation")]
        begin = found.modules.set_index("module").loc["embed", "log_q"]
        end = found.modules.set_index("module").loc["layers.11", "log_q"]
        growth[scaled] = np.exp(0.5 * (end - begin))
        assert len(rows) == 2
        if not scaled:
            (verdict,) = found.verdicts["verdict"]
            told, foretold = (float(number) for number in re.findall(r"(?:factor|about) ([\d.]+\d)", verdict))
            assert told == pytest.approx(growth[()], rel=0.05)
    assert growth["out", "w3"] == pytest.approx(foretold, rel=0.05)


def test_every_fault_has_an_expectation():
    assert set(EXPECTED) == set(FAULTY)
    assert len(FAULTY) == 10
    assert len(SOUND) >= 10
