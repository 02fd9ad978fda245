"""Every lesson, quick: its files, findings, and page in a browser; bad input is refused before anything is written."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradsim import lessons
from gradsim.cli import main
from gradsim.errors import CorruptDataError, OutputError, StorageError, SweepError
from gradsim.lessons import LESSONS, page, pictures
from gradsim.lessons import images as shipped
from gradsim.lessons.lesson import LANGUAGES, Lesson, Settings, Words
from gradsim.lessons.writing import write
from gradsim.system import progress
from gradsim.system.filesystem import calls

pytest.importorskip("matplotlib")
QUICK = Settings(quick=True)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; tests skip, with the reason, where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromedriver (Debian: chromium, chromium-driver) are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--force-device-scale-factor=1",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    running = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield running
    running.quit()


LOOK = """
const all = [...document.querySelectorAll('body *')].filter(e => e.childNodes.length && e.offsetParent !== null);
return {
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  pictures: [...document.images].map(
    i => ({natural: i.naturalWidth, shown: i.getBoundingClientRect().width, alt: i.alt})),
  smallest: Math.min(...all.map(e => parseFloat(getComputedStyle(e).fontSize))),
  lang: document.documentElement.lang,
  outside: [...document.querySelectorAll('[src],[href]')].filter(
    e => !/^(data:|#)/.test(e.getAttribute('src') || e.getAttribute('href'))).length,
}
"""
SMALLEST = 9.0 / 72
"""Text of a picture in inches."""


def look(browser, file: Path, lang: str, width: int) -> None:
    """Open a page and check that it can be read."""
    # Headless Chromium has a least width of window, so that a phone is what the page is told it is on.
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(file.as_uri())
    browser.execute_script("return document.fonts.ready")
    found = browser.execute_script(LOOK)
    assert not [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    assert found["overflow"] <= 0
    assert found["lang"] == lang
    assert found["smallest"] >= 9
    assert found["outside"] == 0
    assert found["pictures"]
    for picture in found["pictures"]:
        assert picture["natural"] == round(pictures.WIDTH * pictures.DPI)
        assert picture["alt"]
        assert picture["shown"] * SMALLEST / pictures.WIDTH >= 8.5  # the smallest text of a picture, in pixels


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_lesson(lesson, tmp_path, request):
    seen = []
    settings = Settings(quick=True, report=seen.append)
    from matplotlib.text import Text

    with np.errstate(all="raise", under="ignore"):
        tables = write(lesson, tmp_path, LANGUAGES, settings)
    folder = tmp_path / lesson.name
    for name, table in tables.items():
        pd.testing.assert_frame_equal(pd.read_parquet(folder / f"{name}.parquet"), table)
        assert len(table)
    assert sum(seen) == pytest.approx(1, abs=0.02)
    assert [finding.key for finding in lesson.find(tables) if not finding.holds] == []
    with pictures.style("en"):
        drawn = lesson.draw(tables, Words(lesson.texts, "en"))
    for picture in drawn.values():
        assert picture.get_figwidth() == pictures.WIDTH
        assert min(text.get_fontsize() for text in picture.findobj(Text) if text.get_text().strip()) >= 72 * SMALLEST
    expected = {f"{name}.{lang}.{form}" for name in drawn for lang in LANGUAGES for form in ("png", "svg")}
    expected |= {f"{name}.parquet" for name in tables} | {f"{lang}.html" for lang in LANGUAGES}
    assert {path.name for path in folder.iterdir()} == expected
    chromium = request.getfixturevalue("browser")
    for lang in LANGUAGES:
        for width in (1280, 400):
            look(chromium, folder / f"{lang}.html", lang, width)


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_texts_are_in_every_language(lesson):
    for key, texts in lesson.texts.items():
        assert len(texts) == len(LANGUAGES), key
        assert all(text.strip() for text in texts), key
    for key in ("title", "lead", "body"):
        assert any("\u4e00" <= character <= "\u9fff" for character in lesson.texts[key][1])
        assert not any("\u4e00" <= character <= "\u9fff" for character in lesson.texts[key][0])


def test_every_character_has_a_glyph():
    """No empty box in a picture: each character of each text is in one of the two fonts of pictures."""
    from matplotlib import font_manager, get_data_path

    latin = font_manager.get_font(str(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")).get_charmap()
    han = font_manager.get_font(str(pictures.font_path())).get_charmap()
    for lesson in LESSONS.values():
        for text in [text for pair in [*lesson.texts.values(), *page.FRAME.values()] for text in pair]:
            missing = {character for character in text if ord(character) not in latin and ord(character) not in han}
            assert not missing - {"\n"}, (lesson.name, missing)


def test_pictures_are_the_same_bytes_again():
    settings = Settings(quick=True)
    lesson = LESSONS["bars"]
    tables, words = lesson.measure(settings), Words(lesson.texts, "zh")
    with pictures.style("zh"):
        once, again = (
            {
                name: pictures.encode(picture, form)
                for name, picture in lesson.draw(tables, words).items()
                for form in ("svg",)
            }
            for _ in range(2)
        )
    assert once == again


def test_bands_leave_no_replica_out():
    """One of twenty that overflowed is the largest; where half of them have, so is the median."""
    frame = pd.DataFrame({"epoch": np.repeat([0, 1], 20), "cost": np.tile(np.arange(20.0), 2)})
    frame.loc[[19, *range(30, 40)], "cost"] = np.nan
    bands = pictures.bands(frame, "epoch", "cost")
    assert bands.loc[0].tolist() == [pytest.approx(0.95), 9.5, np.inf]
    assert bands.loc[1, "low"] == pytest.approx(0.95)
    assert bands.loc[1, "median"] == np.inf


def test_functions_return_frames():
    assert set(lessons.bars(networks=2).columns) == {"hidden", "replica", "layer", "neuron", "gradient"}
    assert lessons.speeds(networks=3)["replica"].max() == 2


def test_published_lengths_lie_in_the_band():
    """The nine published lengths of single networks inside 5–95 % of 1,500 networks a depth; growth near 4.882."""
    findings = LESSONS["speeds"].find({"speeds": lessons.speeds()})
    assert len(findings) == 10
    assert all(finding.holds for finding in findings)


@pytest.fixture
def call(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        return stop.value.code, *capsys.readouterr()

    return run


@pytest.fixture
def two(monkeypatch):
    """Only two lessons, so that `all` is quick."""
    kept = {name: LESSONS[name] for name in ("bars", "speeds")}
    monkeypatch.setattr(lessons, "LESSONS", kept)


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


def test_an_output_that_cannot_be_written(call, tmp_path):
    (tmp_path / "file").write_text("")
    code, _, error = call("lesson", "bars", "--quick", "--out", tmp_path / "file")
    assert code == 2
    assert "not a directory" in error
    with pytest.raises(OutputError):
        write(LESSONS["bars"], tmp_path / "file", ("en",), QUICK)


def test_help_lists_every_lesson_in_order(call):
    code, out, _ = call("lesson", "--help")
    assert code == 0
    listed = [line.split()[0] for line in out.splitlines() if line.startswith("    ") and line.split()[0] in LESSONS]
    assert listed == list(LESSONS)


def test_progress_is_a_bar_or_a_line_now_and_then(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    with progress.Share("bars", stream=(bar := Terminal())) as share:
        share.add(0.5)
        share.add(0.7)  # rounding may give a little more than the whole
    assert bar.getvalue().count("bars") >= 1
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    with progress.Share("bars", stream=(lines := io.StringIO())) as share:
        share.add(0.25)
    assert lines.getvalue() == "bars:  25%, 0 s\n"
    with progress.Share("bars", "none", lines) as share:
        share.add(0.25)
    assert lines.getvalue() == "bars:  25%, 0 s\n"


def damaged(kind: str, content: bytes) -> bytes | None:
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    return {"missing": None, "truncated": content[:-100], "altered": bytes(flipped), "empty": b""}[kind]


@pytest.mark.parametrize("kind", ["missing", "truncated", "altered", "empty"])
def test_damaged_images_are_refused(call, tmp_path, monkeypatch, kind):
    content = damaged(kind, shipped.images_path().read_bytes())
    file = tmp_path / "mnist.npz"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(shipped, "images_path", lambda: file)
    code, _, error = call("lesson", "bars", "--quick", "--out", tmp_path / "out")
    assert code == 4
    assert ("missing" if kind == "missing" else "damaged") in error
    assert "Install gradsim again" in error
    assert not (tmp_path / "out").exists()
    with pytest.raises(CorruptDataError):
        shipped.load_images()


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_without_the_plot_extra(call, tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    code, _, error = call("lesson", "bars", "--quick", "--out", tmp_path / "out")
    assert code == 2
    assert f"{package} is not installed" in error
    assert "gradsim[plot]" in error
    assert not (tmp_path / "out").exists()
    assert len(lessons.bars(networks=1))


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    """Whichever write fails, every file that is there is whole, and a page is there only with all its pictures."""
    table = pd.DataFrame({"x": [1.0]})
    texts = {"title": ("t", "t"), "lead": ("l", "l"), "body": ("b", "b"), "figure.one": ("f", "f")}

    def draw(tables, words):
        return {"one": pictures.of(pictures.axes())}

    lesson = Lesson("tiny", lambda settings: {"numbers": table}, draw, lambda tables: [], texts)
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
