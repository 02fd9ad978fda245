"""Files of a lesson appear whole or not at all, and whatever is missing is noticed before any work."""

from __future__ import annotations

import sys

import pandas as pd
import pytest

from gradsim import lessons
from gradsim.errors import OutputError, StorageError, SweepError
from gradsim.lessons import LESSONS
from gradsim.lessons.lesson import Lesson, Settings
from gradsim.lessons.record import NAME
from gradsim.lessons.writing import write
from gradsim.report import style
from gradsim.system.filesystem import calls

pytest.importorskip("matplotlib")
QUICK = Settings(quick=True)


def test_an_output_that_cannot_be_written(call, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, error = call("lesson", "bars", "--quick", "--out", tmp_path / "file")
    assert code == 2
    assert "not a directory" in error
    with pytest.raises(OutputError):
        write(LESSONS["bars"], tmp_path / "file", ("en",), QUICK)


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_without_the_plot_extra(call, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    code, _, error = call("lesson", "bars", "--quick", "--out", tmp_path / "out")
    assert code == 2
    assert f"{package} is not installed" in error
    assert "gradsim[plot]" in error
    assert not (tmp_path / "out").exists()
    assert len(lessons.bars(networks=1))


TEXTS = {"title": ("t", "t"), "lead": ("l", "l"), "body": ("b", "b"), "figure.one": ("f", "f")}


def test_a_picture_that_cannot_be_drawn_is_no_failure(tmp_path, capsys):
    """The tables and the page are written without it."""

    def draw(tables, words):
        raise RuntimeError("latex could not be found")

    table = pd.DataFrame({"x": [1.0]})
    lesson = Lesson("tiny", lambda settings: {"numbers": table}, draw, lambda tables: [], TEXTS)
    write(lesson, tmp_path, ("en", "zh"), QUICK)
    assert {path.name for path in (tmp_path / "tiny").iterdir()} == {"numbers.parquet", "en.html", "zh.html", NAME}
    assert "No picture: tiny, en: latex could not be found\n" in capsys.readouterr().err


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    """Whichever write fails, every file that is there is whole, and a page is there only with all its pictures."""
    table = pd.DataFrame({"x": [1.0]})

    def draw(tables, words):
        return {"one": style.figure_of(style.axes())}

    lesson = Lesson("tiny", lambda settings: {"numbers": table}, draw, lambda tables: [], TEXTS)
    real, budget = calls.write, [0]

    def failing(descriptor, data):
        budget[0] -= 1
        if budget[0] < 0:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr(calls, "write", failing)
    for count in range(4):
        budget[0], out = count, tmp_path / str(count)
        with pytest.raises(StorageError, match="Free some space"):
            write(lesson, out, ("en",), QUICK)
        left = {path.name for path in (out / "tiny").iterdir()}
        assert len(left) == count
        assert "en.html" not in left
        assert left <= {"numbers.parquet", "one.en.png", "one.en.svg"}


def test_languages_are_checked_first(tmp_path):
    with pytest.raises(SweepError, match="lang"):
        write(LESSONS["bars"], tmp_path / "out", ("en", "de"), QUICK)
    assert not (tmp_path / "out").exists()
