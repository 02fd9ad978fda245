"""A lesson that is done is not run again; what is missing or altered is made good."""

from __future__ import annotations

import base64
import dataclasses
import re

import pandas as pd
import pytest

from gradsim.lessons import LESSONS, record
from gradsim.lessons.lesson import Settings
from gradsim.lessons.record import NAME
from gradsim.lessons.running import run_all
from gradsim.report import style

pytest.importorskip("matplotlib")
QUICK = Settings(quick=True)


@pytest.fixture
def tiny():
    """Two lessons of the catalogue with a measurement that counts its calls, and one picture."""
    runs = []

    def make(name):
        def measure(settings):
            runs.append(name)
            return {"numbers": pd.DataFrame({"x": [float(settings.seed), 2.0]})}

        texts = dict(LESSONS[name].texts) | {"body": ("<p>b</p>", "<p>b</p>"), "figure.one": ("f", "f")}
        return dataclasses.replace(
            LESSONS[name], measure=measure, draw=lambda *_: {"one": style.figure_of(style.axes())},
            find=lambda tables: [], show=lambda *_: {}, texts=texts,
        )  # fmt: skip

    return [make("bars"), make("speeds")], runs


def run(lessons, out, langs=("en",), settings=QUICK, again=False):
    return [done.earlier for done in run_all(lessons, out, langs, settings, "none", again)]


def contents(out):
    return {path.relative_to(out): (path.read_bytes(), path.stat().st_mtime_ns) for path in out.rglob("*.*")}


def test_what_is_done_is_kept(tiny, tmp_path):
    lessons, runs = tiny
    assert run(lessons, tmp_path) == [False, False]
    before = contents(tmp_path / "bars")
    assert run(lessons, tmp_path) == [True, True]
    assert runs == ["bars", "speeds"]
    assert contents(tmp_path / "bars") == before
    assert run(lessons, tmp_path, again=True) == [False, False]


def test_an_interrupted_run_goes_on(tiny, tmp_path):
    """Killed in the second lesson, the next run does that one alone."""
    (first, second), runs = tiny

    def stop(settings):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run([first, dataclasses.replace(second, measure=stop)], tmp_path)
    assert dead_links(tmp_path) == []
    assert run([first, second], tmp_path) == [True, False]
    assert runs == ["bars", "speeds"]
    assert dead_links(tmp_path) == []
    assert 'href="../speeds/en.html" rel="next"' in (tmp_path / "bars/en.html").read_text(encoding="utf-8")


def dead_links(out):
    """Links of all pages to pages that are not there."""
    found = [
        (page, href)
        for page in out.rglob("*.html")
        for href in re.findall(r'href="([^"#]+\.html)"', page.read_text("utf-8"))
    ]
    assert found
    return [(page, href) for page, href in found if not (page.parent / href).is_file()]


@pytest.mark.parametrize("settings", [Settings(quick=True, seed=2), Settings(quick=False)])
def test_other_settings_run_again(tiny, tmp_path, settings):
    lessons, runs = tiny
    run(lessons, tmp_path)
    assert run(lessons, tmp_path, settings=settings) == [False, False]
    assert len(runs) == 4


def test_threads_do_not_count_as_settings(tiny, tmp_path):
    run(tiny[0], tmp_path)
    assert run(tiny[0], tmp_path, settings=Settings(quick=True, threads=1)) == [True, True]


def test_another_language_needs_no_measurement(tiny, tmp_path):
    lessons, runs = tiny
    run(lessons, tmp_path)
    assert run(lessons, tmp_path, langs=("en", "zh")) == [True, True]
    assert len(runs) == 2
    assert 'href="zh.html"' in (tmp_path / "bars/en.html").read_text(encoding="utf-8")
    assert (tmp_path / "bars/one.zh.png").is_file()
    page = (tmp_path / "bars/zh.html").stat().st_mtime_ns
    assert run(lessons, tmp_path, langs=("zh",)) == [True, True]
    assert (tmp_path / "bars/zh.html").stat().st_mtime_ns == page


def damage(path):
    path.write_bytes(path.read_bytes()[:-9] + b"123456789")


@pytest.mark.parametrize("harm", [damage, lambda path: path.unlink()], ids=["altered", "missing"])
@pytest.mark.parametrize("name", ["numbers.parquet", NAME])
def test_harm_is_noticed(tiny, tmp_path, name, harm):
    lessons, _ = tiny
    run(lessons, tmp_path)
    good = pd.read_parquet(tmp_path / "bars/numbers.parquet")
    harm(tmp_path / "bars" / name)
    assert run(lessons, tmp_path) == [False, True]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "bars/numbers.parquet"), good)


def test_a_missing_page_is_written(tiny, tmp_path):
    run(tiny[0], tmp_path)
    (tmp_path / "speeds/en.html").unlink()
    assert run(tiny[0], tmp_path) == [True, True]
    assert (tmp_path / "speeds/en.html").is_file()


def test_new_links_need_no_new_pictures(tiny, tmp_path):
    """A page that only gets another link is written with the pictures that are there."""
    (first, second), _ = tiny
    drawings = []

    def draw(tables, words):
        drawings.append(words.lang)
        return first.draw(tables, words)

    counted = dataclasses.replace(first, draw=draw)
    run([counted], tmp_path)
    picture = (tmp_path / "bars/one.en.png").read_bytes()
    run([counted, second], tmp_path)
    assert drawings == ["en"]
    assert base64.b64encode(picture).decode() in (tmp_path / "bars/en.html").read_text(encoding="utf-8")
    (tmp_path / "bars/one.en.png").unlink()
    (tmp_path / "bars/en.html").unlink()
    assert run([counted], tmp_path) == [True]
    assert drawings == ["en", "en"]
    assert (tmp_path / "bars/one.en.png").read_bytes() == picture


def test_other_code_runs_again(tiny, tmp_path, monkeypatch):
    run(tiny[0], tmp_path)
    monkeypatch.setattr(record, "code_digest", lambda: "other")
    assert run(tiny[0], tmp_path) == [False, False]


def test_pictures_that_failed_are_drawn_by_the_next_run(tiny, tmp_path, capsys):
    (first, _), runs = tiny

    def fail(tables, words):
        raise RuntimeError("no font")

    run([dataclasses.replace(first, draw=fail)], tmp_path)
    assert not (tmp_path / "bars/one.en.png").exists()
    assert run([first], tmp_path) == [True]
    assert (tmp_path / "bars/one.en.png").is_file()
    assert runs == ["bars"]
