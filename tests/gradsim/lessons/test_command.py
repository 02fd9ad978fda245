"""The command `lesson`: all lessons and their index, its help, and names that do not exist."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gradsim.lessons import LESSONS, catalogue

pytest.importorskip("matplotlib")


@pytest.fixture
def two(monkeypatch):
    """Only two lessons, so that `all` is quick."""
    monkeypatch.setattr(catalogue, "SUMMARIES", {name: catalogue.SUMMARIES[name] for name in ("bars", "speeds")})


def test_all_lessons_and_their_index(call, tmp_path, two):
    code, out, _ = call("lesson", "all", "--quick", "--out", tmp_path, "--lang", "zh", "--lang", "en")
    assert code == 0
    assert "predictions agree" in out
    assert {path.name for path in tmp_path.iterdir()} == {"bars", "speeds", "en.html", "zh.html"}
    index = (tmp_path / "zh.html").read_text(encoding="utf-8")
    assert 'href="bars/zh.html"' in index


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["spedes"], "The nearest is speeds"), (["al"], "The nearest is all"),
     (["speeds", "--lang", "zn"], "The nearest is zh"), (["speeds", "--lang", "fr"], "one of en, zh")],
)  # fmt: skip
def test_unknown_words_offer_the_nearest(call, tmp_path, arguments, says):
    code, _, error = call("lesson", *arguments, "--out", tmp_path / "new")
    assert code == 2
    assert says in error
    assert not (tmp_path / "new").exists()


def test_help_lists_every_lesson_in_order(call):
    code, out, _ = call("lesson", "--help")
    assert code == 0
    section = out.partition("Lessons, in the order")[2].partition("Options:")[0]
    listed = [line.split()[0] for line in section.splitlines() if line.startswith("  ") and line.split()[0] in LESSONS]
    assert listed == list(LESSONS)


def test_help_loads_nothing_heavy():
    program = """
import sys
from gradsim.cli import main
try:
    main(["lesson", "--help"])
except SystemExit as stop:
    assert stop.code == 0
assert not {"numba", "pandas", "matplotlib", "scipy"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
