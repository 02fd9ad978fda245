"""Pictures: the same bytes again, and bands that leave no replica out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gradsim.lessons import LESSONS
from gradsim.lessons.lesson import Settings
from gradsim.report import style
from gradsim.report.languages import Words

pytest.importorskip("matplotlib")


def test_pictures_are_the_same_bytes_again():
    lesson = LESSONS["bars"]
    tables, words = lesson.measure(Settings(quick=True)), Words(lesson.texts, "zh")
    with style.applied("zh"):
        first, second = (
            {name: style.encode(picture, "svg") for name, picture in lesson.draw(tables, words).items()}
            for _ in range(2)
        )
    assert first == second


def test_bands_leave_no_replica_out():
    """One of twenty that overflowed is the largest; where half of them have, so is the median."""
    frame = pd.DataFrame({"epoch": np.repeat([0, 1], 20), "cost": np.tile(np.arange(20.0), 2)})
    frame.loc[[19, *range(30, 40)], "cost"] = np.nan
    bands = style.bands(frame, "epoch", "cost")
    assert bands.loc[0].tolist() == [pytest.approx(0.95), 9.5, np.inf]
    assert bands.loc[1, "low"] == pytest.approx(0.95)
    assert bands.loc[1, "median"] == np.inf
