"""The gallery of published figures: the form of its scripts, their quick form, and the exact numbers of their texts."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.special import polygamma
from scipy.stats import norm

import gradsim as gs

plt = pytest.importorskip("matplotlib.pyplot")

SCRIPTS = sorted((Path(__file__).parents[1] / "docs" / "gallery").glob("*.py"))
MOST_LINES = 30
SIMULATES = ("gs.simulate", "gs.run", "gs.weights", "gs.lessons", "rng.")
QUICK = {"NETWORKS": 200, "TIMED": 64, "REPLICAS": 1, "WIDTH": 64, "COPIES": 2, "POINTS": 3}
"""The largest sizes of the quick form."""
RELU = np.sqrt(2)


def sizes(tree):
    """The numbers that constants of a module have, as nodes, by name."""
    found = {}
    for node in (node for node in tree.body if isinstance(node, ast.Assign)):
        target, value = node.targets[0], node.value
        several = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
        for name, number in zip(target.elts, value.elts, strict=True) if several else [(target, value)]:
            if isinstance(name, ast.Name) and name.id.isupper() and isinstance(number, ast.Constant):
                found[name.id] = number
    return found


def quick(name, size):
    """A size in the quick form; of few networks, which are wide, a quarter remains."""
    return min(size, QUICK.get(name, size), max(2, size // 4) if name == "NETWORKS" else size)


def faults(text):
    """What a script lacks of the form of the gallery."""
    tree = ast.parse(text)
    page, code = ast.get_docstring(tree) or "", text.split('"""', 2)[-1].strip().splitlines()
    title, _, rest = page.partition("\n")
    agrees, differs = re.search(r"\*\*Agrees:\*\* .*\d", page), re.search(r"\*\*Differs:\*\* \w", page)
    smaller = any(quick(name, size.value) < size.value for name, size in sizes(tree).items())
    needs = {
        "a title": bool(title) and rest.startswith("=" * len(title) + "\n"),
        "a source": bool(re.search(r"arXiv:\d{4}\.\d{4,5}|doi:10\.\d+/", page)),
        "what agrees, in numbers": bool(agrees),
        "what differs": bool(differs),
        f"at most {MOST_LINES} lines of code": len(code) <= MOST_LINES,
        "a size that can be made smaller": smaller or not any(name in text for name in SIMULATES),
    }
    return [need for need, met in needs.items() if not met]


@pytest.fixture
def quiet(tmp_path, monkeypatch):
    """A folder to run in, Agg as the backend, and no figures from before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plt, "show", lambda *arguments, **options: None)
    backend = plt.get_backend()
    plt.switch_backend("agg")
    yield tmp_path
    plt.close("all")
    plt.switch_backend(backend)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_form(script):
    assert script.name.startswith("plot_")
    assert faults(script.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("====", "----", "a title"),
        ("arXiv:", "", "a source"),
        ("**Agrees:**", "Agrees:", "what agrees, in numbers"),
        ("**Differs:**", "Differs:", "what differs"),
        ("plt.show()", "\n" * 20 + "plt.show()", "at most 30 lines of code"),
        ("NETWORKS, WIDTH", "networks, width", "a size that can be made smaller"),
    ],
)
def test_a_planted_fault_is_found(old, new, fault):
    text = (SCRIPTS[0].parent / "plot_isometry.py").read_text(encoding="utf-8")
    assert faults(text.replace(old, new)) == [fault]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_quick_form(script, quiet):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    for name, size in sizes(tree).items():
        size.value = quick(name, size.value)
    exec(compile(tree, script.name, "exec"), {"__name__": "__main__"})
    figures = [plt.figure(number) for number in plt.get_fignums()]
    assert figures
    for figure in figures:
        figure.savefig("figure.png")
        assert figure.axes[0].get_ylabel()
        for ax in figure.axes:
            assert ax.get_xlabel() or ax.patches  # the bars of a chart have names instead
            assert any(np.isfinite(line.get_ydata()).any() for line in ax.get_lines())
    assert [path.name for path in quiet.iterdir()] == ["figure.png"]


@cache
def law(width, depth=2):
    return gs.theory.gain_law("relu", depth, width, RELU)


def constant(*widths):
    """Width times the variance of ln gain of one layer."""
    return [width * law(width).std ** 2 for width in widths]


def distance_to_the_limit(width):
    """Largest difference between the exact distribution function at beta = 5/4 and the log-normal limit's."""
    x = np.linspace(-12, 6, 4001)
    return np.abs(law(width, 1 + width // 4).cdf(x) - norm.cdf(x, -5 / 8, np.sqrt(5 / 4))).max()


@cache
def critical():
    return gs.theory.critical_sigma_w("tanh", 0.05**0.5) ** 2


def poole(attribute):
    return [getattr(gs.theory.mean_field("tanh", sigma_w, 0.3), attribute) for sigma_w in (1.3, 2.5, 4.0)]


def schoenholz(square):
    return gs.theory.mean_field("tanh", np.sqrt(square), np.sqrt(0.05))


def slope_at_width_300(square):
    """Change of ln gain per layer from layer 20 to layer 100, to first order in 1 / width."""
    found = gs.theory.width_correction("tanh", 120, np.sqrt(square), np.sqrt(0.05))
    gain = (found["log_gain"] + found["mean"] / 300).to_numpy()
    return (gain[19] - gain[99]) / 80


def error_of_fit(width):
    fit = RELU * np.exp(1.2 / (max(width, 6) - 2.4))
    return 100 * (fit / gs.theory.quenched_sigma_w("relu", width) - 1)


def error_of_first_order(s, width):
    return 100 * (1 - (2 + 5 * (2 - s) / (2 * width)) / gs.theory.moment_sigma_w("relu", s, width) ** 2)


def apart(width):
    return 100 * (gs.theory.quenched_sigma_w("relu", width) / RELU - 1)


def half_dead(width):
    return np.log(0.5) / np.log1p(-(0.5**width))


def normal():
    return norm(law(16, 16).mean, law(16, 16).std)


STATED = [
    ("poole_maps", "q* = {:.4f}, {:.4f} and {:.4f}", lambda: poole("q_star")),
    ("poole_maps", "c* = {:.0f}, {:.4f} and {:.4f}", lambda: poole("c_star")),
    ("poole_maps", "at 1 is {:.4f}, {:.4f} and {:.4f}", lambda: poole("chi_1")),
    ("schoenholz_depth_scales", "diverges at σ_w² = {:.4f}", lambda: [critical()]),
    ("schoenholz_depth_scales", "is {:.2f} layers at 1.5", lambda: [schoenholz(1.5).xi_c]),
    ("schoenholz_depth_scales", "infinite width has {:.4f}, 0 and {:.4f}",
     lambda: np.log([schoenholz(square).chi_1 for square in (1.5, 2.5)])),
    ("schoenholz_depth_scales", "the theory is {:.4f}, {:.4f} and {:.4f}",
     lambda: map(slope_at_width_300, (1.5, critical(), 2.5))),
    ("hanin_nica_lognormal", "at most {:.3f}, {:.3f} and {:.4f} at widths 16, 64 and 256",
     lambda: map(distance_to_the_limit, (16, 64, 256))),
    ("hanin_nica_lognormal", "is {:.3f} at width 1,024 and {:.4f} at 4,096", lambda: constant(1024, 4096)),
    ("hanin_nica_lognormal", "is {:.2f} at width 8, {:.2f} at 16, {:.2f} at 64 and {:.2f} at 256",
     lambda: constant(8, 16, 64, 256)),
    ("sussillo_abbott_g", "by {:.1f} % at width 10, {:.1f} % at 8 and {:.1f} % at 6",
     lambda: map(error_of_fit, (10, 8, 6))),
    ("sussillo_abbott_g", "at width 4 it is {:.1f} % too small", lambda: [-error_of_fit(4)]),
    ("sussillo_abbott_g", "within {:.3f} % at 16", lambda: [error_of_fit(16)]),
    ("dying_relu", "at {:.1f} layers for N = 2, at {:.0f} for N = 8 and at {:,.0f} for N = 16",
     lambda: map(half_dead, (2, 8, 16))),
    ("he_xavier", "is {:.1f}e-5;", lambda: [1e5 * 0.5 ** (29 / 2)]),
    ("dropout", "has {:.0f}.", lambda: [0.7**-15]),
    ("relu_exact_law", "exactly {:.4f} and {:.4f}", lambda: [law(16, 16).mean, law(16, 16).std]),
    ("relu_exact_law", "1e-4, is {:.1f} and not {:.1f}", lambda: [law(16, 16).ppf(1e-4), normal().ppf(1e-4)]),
    ("relu_exact_law", "largest is {:.1f} and not {:.1f}", lambda: [law(16, 16).isf(1e-4), normal().isf(1e-4)]),
    ("quenched_annealed", "are {:.0f} % apart at width 8, {:.0f} % at 64 and {:.0f} % at 128",
     lambda: map(apart, (8, 64, 128))),
    ("isometry", "exactly {:.3f}", lambda: [np.sqrt(63 * polygamma(1, 32))]),
    ("gurbuzbalaban_moments", "are {:.5f}, {:.5f} and {:.5f}",
     lambda: [gs.theory.moment_sigma_w("relu", s, 16) ** 2 for s in (0.5, 1.0, 1.5)]),
    ("gurbuzbalaban_moments", "by {:.1f} % for s = 1, and by {:.1f} % for s = 0.1",
     lambda: [error_of_first_order(s, 16) for s in (1.0, 0.1)]),
    ("gurbuzbalaban_moments", "within {:.2f} % at width 64 and {:.3f} % at 256",
     lambda: [error_of_first_order(1.0, width) for width in (64, 256)]),
    ("hayou_edge_of_chaos", "= {:.4f} for erf", lambda: [gs.theory.critical_sigma_w("erf", 0.0)]),
    ("hayou_edge_of_chaos", "σ_b = {1:.4f}, with σ_w = {0:.4f}",
     lambda: gs.theory.half_stable_points("gelu").iloc[0][["sigma_w", "sigma_b"]]),
]  # fmt: skip
"""A script, a part of its text with places for exact numbers, and a function that computes these."""


@pytest.mark.parametrize(("script", "text", "numbers"), STATED, ids=[f"{row[0]}-{row[1][:24]}" for row in STATED])
def test_exact_numbers(script, text, numbers):
    page = ast.get_docstring(ast.parse((SCRIPTS[0].parent / f"plot_{script}.py").read_text(encoding="utf-8")))
    assert text.format(*numbers()) in " ".join(page.split())


def test_the_formula_of_dying_networks_is_exact():
    for width in (2, 3, 4, 6, 8):
        for depth in (2, 10, 80):
            assert law(width, depth).dead_fraction == pytest.approx(1 - (1 - 0.5**width) ** depth, rel=1e-14)


def test_nine_factors_make_the_gradient():
    names: dict[str, object] = {}
    text = (SCRIPTS[0].parent / "plot_nine_gradients.py").read_text(encoding="utf-8")
    exec(text[: text.index("with gs.plots")], names)
    cell = {"activation": "sigmoid", "sigma_b": 1.0, "depth": 4, "width": 1}
    gradient = np.exp(gs.simulate(**cell, networks=7).log_weight_grad[6, 0])
    assert len(names["factors"]) == 9
    assert np.prod(names["factors"]) == pytest.approx(gradient, rel=1e-5)
    assert f"{gradient:.3e}".replace("e-05", "e-5") in text
