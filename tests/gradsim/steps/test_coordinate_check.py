"""The coordinate check: exponents known for infinitely wide networks come out, with intervals and verdicts."""

from __future__ import annotations

import re

import numpy as np
import pytest

from gradsim.errors import SweepError
from gradsim.steps import exponents
from gradsim.steps.check_result import verdict
from gradsim.steps.coordinate_check import coordinate_check

BASE = {"depth": 3, "sigma_w": 1.5, "inputs": 4, "steps": 2, "networks": 60, "widths": (128, 512, 2048)}
RATES = {"standard": 0.02, "ntk": 0.5, "mup": 0.5}


@pytest.fixture(scope="module")
def checks():
    return {name: coordinate_check(parametrisation=name, learning_rate=rate, **BASE) for name, rate in RATES.items()}


def exponent(check, step, layer, direction, measure):
    rows = check.exponents.query(
        "step == @step and layer == @layer and direction == @direction and measure == @measure"
    )
    return rows["exponent"].item()


@pytest.mark.parametrize("name", ["ntk", "mup"])
def test_known_exponents(checks, name):
    """All rows are within 0.12 of theory: medians of 60 networks, and terms of order 1/N at width 128."""
    rows = checks[name].exponents
    assert rows["expected"].notna().all()
    assert abs(rows["exponent"] - rows["expected"]).max() < 0.12
    hidden = rows.query("layer <= 3 and measure == 'change' and direction == 'forward'")
    assert set(hidden["verdict"]) == {"falls" if name == "ntk" else "flat"}


def test_standard_grows(checks):
    """The first step moves h of layer 1 by eta |x|^2 delta, so as N N^-1/2, and outputs as N; nothing is flat then."""
    check = checks["standard"]
    assert exponent(check, 1, 1, "forward", "change") == pytest.approx(0.5, abs=0.1)
    assert exponent(check, 1, 4, "forward", "change") == pytest.approx(1.0, abs=0.15)
    begun = check.exponents.query("step == 0")
    assert abs(begun["exponent"]).max() < 0.1
    assert set(check.verdicts.query("direction == 'forward' and measure == 'change'")["verdict"]) == {"grows"}


def test_weight_decay_moves_features_at_every_width():
    check = coordinate_check(parametrisation="ntk", learning_rate=0.5, weight_decay=0.2, **BASE | {"steps": 1})
    rows = check.exponents.query("direction == 'forward' and measure == 'change'")
    assert (rows["expected"] == 0).all()
    assert abs(rows["exponent"]).max() < 0.12


def test_words(checks):
    said = {name: check.summary for name, check in checks.items()}
    assert "do not move under ntk" in said["ntk"]
    assert "move alike at every width under mup" in said["mup"]
    assert "no learning rate fits all widths" in said["standard"]
    text = checks["ntk"].text()
    assert "Change of h since step 0: features move less in wider networks, in the limit not at all" in text
    assert re.search(r"  layer 1   N\^-0\.48 \[-0\.\d\d, -0\.\d\d\]   falls     theory N\^-0\.5", text)
    assert max(map(len, text.splitlines())) <= 110
    assert "readout" in text
    assert len(checks["mup"].verdicts) == 16
    assert "CoordinateCheck" in repr(checks["mup"])
    assert "verdict" in checks["mup"]._repr_html_()


def test_sizes_have_every_width(checks):
    sizes = checks["mup"].sizes
    assert sorted(sizes["width"].unique()) == [128, 512, 2048]
    assert set(sizes.columns) >= {"step", "layer", "direction", "measure", "median", "nonfinite"}


def test_intervals_cover():
    """Of 200 samples of a power law with lognormal scatter, 95 % intervals cover in 170 or more: chance below 1e-6."""
    random, widths = np.random.default_rng(2), np.array([64.0, 256.0, 1024.0])
    values = [width**-0.5 * random.lognormal(sigma=0.4, size=(60, 200)) for width in widths]
    fits = exponents.fit(widths, values, 0.95, 1)
    covered = (fits.low <= -0.5) & (fits.high >= -0.5)
    assert 170 <= covered.sum() < 200
    narrow = exponents.fit(widths, values, 0.5, 1)
    assert ((narrow.low <= -0.5) & (narrow.high >= -0.5)).sum() < 150


def test_slopes_leave_out_sizes_of_zero_and_have_none_beside_infinite_ones():
    widths = np.array([1.0, 2.0, 4.0, 8.0])
    sizes = np.array([[1.0, 1.0, 1.0, 0.0], [2.0, 0.0, np.inf, 0.0], [4.0, 4.0, 4.0, 1.0], [8.0, 8.0, 8.0, 0.0]])
    found = exponents.slopes(widths, sizes)
    assert found[:2] == pytest.approx(1.0)
    assert np.isnan(found[2:]).all()


def test_medians_count_lost_networks_as_infinite():
    values = np.array([[1.0, 1.0], [2.0, np.nan], [np.nan, np.inf], [3.0, 4.0]])
    assert exponents.medians(values).tolist() == [2.5, np.inf]
    assert exponents.medians(values[:3]).tolist() == [2.0, np.inf]


@pytest.mark.parametrize(
    ("ends", "said"),
    [((-0.1, 0.1), "flat"), ((0.3, 0.6), "grows"), ((-0.6, -0.3), "falls"), ((0.1, 0.4), "unclear"),
     ((np.nan, 1.0), "none"), ((np.nan, 1.0, True), "diverged")],
)  # fmt: skip
def test_verdicts(ends, said):
    assert verdict(*ends) == said


def test_diverged_networks_end_the_fit():
    check = coordinate_check(
        "relu", depth=2, sigma_w=1.5, learning_rate=1e15, inputs=2, steps=8, widths=(32, 64), networks=8
    )
    assert set(check.verdicts["verdict"]) == {"diverged"}
    assert "no exponent: too many networks" in check.text()
    assert all(count >= 4 for count in check.diverged.values())


@pytest.mark.parametrize("rate", [0.1, 0.05])
def test_the_exponent_of_narrow_networks_does_not_hide_that_wide_ones_diverge(rate):
    """A line through the widths that are left says nothing of the others, however narrow its interval."""
    check = coordinate_check(
        "relu", depth=2, sigma_w=1.41, learning_rate=rate, steps=6, widths=(32, 64, 1024), networks=8, inputs=4
    )
    assert check.diverged[1024] == 8
    assert check.diverged[32] == 0
    hidden = check.verdicts.query("direction == 'forward' and layer <= 2")
    assert set(hidden["verdict"]) == {"diverged"}
    assert hidden[["exponent", "ci_low", "ci_high"]].isna().all(axis=None)
    assert check.summary.startswith("Networks diverge under standard")
    assert "8 of width 1024" in check.text()
    assert "nan" not in check.text()


def test_no_steps():
    check = coordinate_check(depth=2, sigma_w=1.5, learning_rate=1.0, steps=0, widths=(32, 64), networks=8)
    assert set(check.exponents["measure"]) == {"size"}
    assert check.summary == "Nothing was trained: steps = 0."


@pytest.mark.parametrize(
    ("field", "value"),
    [("widths", [64]), ("widths", [64, 64]), ("widths", 64), ("widths", [0, 4]), ("widths", ["a", "b"]),
     ("level", 1.0), ("level", "high"), ("width", 64), ("networks", 0), ("networks", 7),
     ("progress", "loud"), ("momentum", 2.0)],
)  # fmt: skip
def test_refused(field, value):
    with pytest.raises(SweepError) as error:
        coordinate_check(**BASE | {"learning_rate": 0.1, field: value})
    assert error.value.field == field


@pytest.mark.verify
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("name", ["ntk", "mup"])
def test_known_exponents_of_wide_networks(name, activation):
    """Up to width 16,384, with momentum, biases and clipping: within 0.095 of theory, 4 standard errors."""
    options = {"momentum": 0.5, "sigma_b": 0.2, "clip": 5.0, "learning_rate": 0.2, "sigma_w": 1.4}
    widths = (1024, 4096, 16384)
    check = coordinate_check(
        activation, parametrisation=name, depth=3, inputs=4, steps=3, networks=120, widths=widths, **options
    )
    rows = check.exponents
    print(name, activation, abs(rows["exponent"] - rows["expected"]).max())
    assert abs(rows["exponent"] - rows["expected"]).max() < 0.095
