"""The picture of a spectrum: its bars are the numbers, its curve is the theory, and what is missing is said."""

from __future__ import annotations

import numpy as np
import pytest

import gradsim as gs
from gradsim import plots
from gradsim.errors import SweepError
from tests.gradsim.plots.test_edges import lies_within

pytest.importorskip("matplotlib")
SQRT2 = 2**0.5


def area(ax):
    return sum(bar.get_height() * bar.get_width() for bar in ax.patches)


def test_bars_and_curve():
    found = gs.jacobian("relu", width=24, depth=3, sigma_w=SQRT2, networks=60)
    ax = plots.spectrum(found)
    live = np.isfinite(found.log_singular_values).mean()
    assert area(ax) == pytest.approx(live, rel=0.01)
    edge, density = ax.lines
    assert edge.get_xdata()[0] == pytest.approx(found.theory.spectrum.log_edge)
    x, y = density.get_data()
    assert np.isfinite(y).all()
    assert np.trapezoid(y, x) == pytest.approx(0.5, rel=0.05)
    assert f"{100 * (1 - live):.3g} %" in plots.caption(ax)
    assert "seed 1" in plots.caption(ax)
    assert "relu" in ax.get_title(loc="left")
    lies_within(ax)


def test_the_largest_ones():
    found = gs.jacobian("relu", width=300, depth=3, sigma_w=SQRT2, networks=8, top=3)
    ax = plots.spectrum(found)
    assert len(ax.lines) == 1
    assert "the 3 largest" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert "Estimated errors" in plots.caption(ax)
    lies_within(ax)


def test_edges():
    one = plots.spectrum(gs.jacobian("linear", width=6, depth=3, law="orthogonal", networks=2))
    assert area(one) == pytest.approx(1.0)
    dead = plots.spectrum(gs.jacobian("relu", width=2, depth=60, sigma_w=SQRT2, networks=2))
    assert any("No singular value" in text.get_text() for text in dead.texts)
    with pytest.raises(SweepError, match="found"):
        plots.spectrum(3)
