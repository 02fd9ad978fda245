"""Lessons as functions: ``gs.lessons.NAME()`` and the names around them."""

from __future__ import annotations

import pytest

import gradsim as gs
from gradsim import lessons
from gradsim.lessons import LESSONS, catalogue


def test_every_lesson_is_a_function():
    """No module hides a function of its name, whatever has been imported before."""
    for name, lesson in LESSONS.items():
        function = getattr(gs.lessons, name.replace("-", "_"))
        assert callable(function)
        assert function.__name__ in dir(gs.lessons)
        assert function.__module__ == f"gradsim.lessons.catalogue.{function.__name__}"
        assert lesson.name == name
    helpers = {"Lesson", "find"}  # for those who add lessons
    assert set(dir(gs.lessons)) == {"LESSONS", "Settings", "write", *catalogue.function_names()}
    assert set(gs.lessons.__all__) == {*dir(gs.lessons), *helpers}


def test_a_name_that_is_no_lesson():
    with pytest.raises(AttributeError, match="barz"):
        _ = gs.lessons.barz
    with pytest.raises(KeyError):
        LESSONS["depth_hurts"]
    assert "depth_hurts" not in LESSONS


def test_functions_return_frames():
    assert set(lessons.bars(networks=2).columns) == {"hidden", "replica", "layer", "neuron", "gradient"}
    assert lessons.speeds(networks=3)["replica"].max() == 2


def test_published_lengths_lie_in_the_band():
    """The nine published lengths of single networks inside 5–95 % of 1,500 networks a depth; growth near 4.882."""
    findings = LESSONS["speeds"].find({"speeds": lessons.speeds()})
    assert len(findings) == 10
    assert all(finding.holds for finding in findings)
