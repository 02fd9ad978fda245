"""A lesson is one module and one row: the rest of gradsim finds it there."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

import gradsim as gs
from gradsim.lessons import catalogue

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

NAME = "straight-line"
MODULE = '''
"""Lesson: a straight line."""

import pandas as pd

from gradsim.lessons.lesson import Finding, Lesson
from gradsim.report import style


def straight_line(points: int = 5) -> pd.DataFrame:
    """Points of y = 2 x: columns x, y."""
    return pd.DataFrame({"x": range(points)}).assign(y=lambda table: 2 * table["x"])


def _draw(tables, words):
    panel = style.axes()
    panel.plot(tables["line"]["x"], tables["line"]["y"], label=words("line"))
    return {"line": style.figure_of(panel)}


def _find(tables):
    slope = tables["line"]["y"].diff().iloc[-1]
    return [Finding("slope", "2", f"{slope:g}", bool(slope == 2))]


TEXTS = {
    "title": ("A straight line", "梯度"), "lead": ("It rises.", "梯度"), "body": ("<p>By 2.</p>", "<p>梯度</p>"),
    "line": ("y = 2 x", "梯度"), "figure.line": ("The line.", "梯度"), "finding.slope": ("its slope", "梯度"),
}
LESSON = Lesson(
    "straight-line", lambda settings: {"line": straight_line(settings.choose(5, 3))}, _draw, _find, TEXTS
)
'''


@pytest.fixture(autouse=True)
def registered(tmp_path, monkeypatch):
    """Put the module into the catalogue's folder, as far as Python can see, and add its row."""
    (tmp_path / "straight_line.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.setattr(catalogue, "__path__", [*catalogue.__path__, str(tmp_path)])
    monkeypatch.setitem(catalogue.SUMMARIES, NAME, "a line through the origin")
    yield
    if sys.modules.pop("gradsim.lessons.catalogue.straight_line", None):
        del catalogue.straight_line


def test_its_function():
    pd.testing.assert_frame_equal(gs.lessons.straight_line(2), pd.DataFrame({"x": [0, 1], "y": [0, 2]}))
    assert "straight_line" in dir(gs.lessons)


def test_its_entry():
    assert list(gs.lessons.LESSONS)[-1] == NAME
    assert gs.lessons.find(NAME) is gs.lessons.LESSONS[NAME]
    with pytest.raises(gs.GradsimError, match=f"The nearest is {NAME}"):
        gs.lessons.find("straigt-line")


def test_its_files_and_pages(tmp_path):
    settings = gs.lessons.Settings(quick=True)
    tables = gs.lessons.write(NAME, tmp_path / "out", langs=("en", "zh"), settings=settings)
    pd.testing.assert_frame_equal(tables["line"], gs.lessons.straight_line(3))
    written = {path.name for path in (tmp_path / "out" / NAME).iterdir()}
    pictures = {f"line.{lang}.{form}" for lang in ("en", "zh") for form in ("png", "svg")}
    assert written == {"line.parquet", "en.html", "zh.html", "lesson.json"} | pictures


def test_its_command(call, tmp_path):
    code, out, _ = call("lesson", NAME, "--out", tmp_path / "out", "--lang", "en", "--lang", "zh", "--progress", "none")
    assert code == 0
    assert "1 of 1 predictions agree" in out
    english, chinese = ((tmp_path / "out" / NAME / f"{lang}.html").read_text(encoding="utf-8") for lang in ("en", "zh"))
    assert "<title>A straight line</title>" in english
    assert "<title>梯度</title>" in chinese
    assert "data:font/otf;base64," in chinese


def test_its_line_of_help(call):
    code, out, _ = call("lesson", "--help")
    assert code == 0
    assert any(line.split() == [NAME, *["a", "line", "through", "the", "origin"]] for line in out.splitlines())
