"""Links between pages lead only to pages that are there."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from gradsim.lessons import LESSONS
from gradsim.lessons.lesson import Settings
from gradsim.lessons.navigation import links
from gradsim.lessons.writing import write

pytest.importorskip("matplotlib")


def test_neighbours_are_the_nearest_that_exist():
    found = links("speeds", "en", {"depth-hurts", "chain"}, {"en", "zh"})
    assert [link.href for link in found] == ["../en.html", "../depth-hurts/en.html", "../chain/en.html", "zh.html"]
    assert [link.rel for link in found] == ["", "prev", "next", "alternate"]
    assert found[-1].lang == "zh-Hans"


def test_ends_have_one_neighbour():
    names = list(LESSONS)
    assert [link.rel for link in links(names[0], "zh", set(names), {"zh"})] == ["", "next"]
    assert [link.rel for link in links(names[-1], "zh", set(names), {"zh"})] == ["", "prev"]


def test_a_lesson_that_is_not_of_the_catalogue():
    assert [link.href for link in links("mine", "en", set(LESSONS), {"en"})] == ["../en.html"]


def test_the_index_grows(tmp_path):
    """Each lesson is added to the page that lists them, once, in the order of the catalogue."""
    table = pd.DataFrame({"x": [1.0]})
    for name in ("speeds", "bars", "speeds"):
        tiny = dataclasses.replace(LESSONS[name], measure=lambda settings: {"numbers": table}, draw=lambda *_: {},
                                   find=lambda tables: [], show=lambda *_: {})  # fmt: skip
        write(tiny, tmp_path, ("en",), Settings(quick=True))
    text = (tmp_path / "en.html").read_text(encoding="utf-8")
    assert text.count("<li>") == 2
    assert 0 < text.index('href="bars/en.html"') < text.index('href="speeds/en.html"')
    assert 'href="../bars/en.html" rel="prev"' in (tmp_path / "speeds/en.html").read_text(encoding="utf-8")
