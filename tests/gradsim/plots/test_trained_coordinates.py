"""The picture of a coordinate check."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from gradsim import plots
from gradsim.errors import SweepError
from gradsim.steps.coordinate_check import coordinate_check

BASE = {"depth": 2, "sigma_w": 1.5, "inputs": 2, "steps": 1, "networks": 20, "widths": (32, 128)}


@pytest.fixture(scope="module")
def check():
    return coordinate_check(learning_rate=0.2, parametrisation="mup", **BASE)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_lines_are_medians(check, direction, tmp_path):
    ax = plots.trained_coordinates(check, direction, layers=[2])
    change, size = ax.get_lines()
    rows = check.sizes.query("direction == @direction and step == 1 and layer == 2")
    assert change.get_ydata() == pytest.approx(rows.query("measure == 'change'")["median"].to_numpy())
    assert size.get_ydata() == pytest.approx(rows.query("measure == 'size'")["median"].to_numpy())
    (label,) = (text.get_text() for text in ax.get_legend().get_texts())
    assert label.startswith("layer 2, N^")
    assert "mup" in ax.get_title(loc="left").replace("\n", " ")
    assert "20 networks" in plots.caption(ax)
    assert plots.save(ax, tmp_path / "picture.png", dpi=40).exists()


def test_the_readout_and_step_0(check):
    labels = [text.get_text() for text in plots.trained_coordinates(check, step=0).get_legend().get_texts()]
    assert [label.split(",")[0] for label in labels] == ["layer 1", "layer 2", "readout"]


def test_diverged_networks_are_said():
    lost = coordinate_check("relu", **BASE | {"steps": 8}, learning_rate=1e15)
    ax = plots.trained_coordinates(lost)
    assert "diverged at width 32, 128" in plots.caption(ax)
    assert any("No finite size" in text.get_text() for text in ax.texts)
    assert not np.isfinite(lost.exponents.query("step == 8")["exponent"]).any()


@pytest.mark.parametrize("options", [{"direction": "up"}, {"step": 2}, {"layers": [4]}, {"layers": []}, {"ax": 1}])
def test_refused(check, options):
    with pytest.raises(SweepError):
        plots.trained_coordinates(check, **options)
