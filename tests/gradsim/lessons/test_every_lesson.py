"""Every lesson, quick: its files, findings and pictures, and its pages in a browser on a desktop and a phone."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gradsim.lessons import LESSONS
from gradsim.lessons.lesson import Settings
from gradsim.lessons.record import NAME
from gradsim.lessons.writing import write
from gradsim.report import style
from gradsim.report.languages import LANGUAGES, TAGS, Words

pytest.importorskip("matplotlib")

LOOK = """
const all = [...document.querySelectorAll('body *')].filter(e => e.childNodes.length && e.offsetParent !== null);
return {
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  pictures: [...document.images].map(
    i => ({natural: i.naturalWidth, shown: i.getBoundingClientRect().width, alt: i.alt})),
  smallest: Math.min(...all.map(e => parseFloat(getComputedStyle(e).fontSize))),
  lang: document.documentElement.lang,
  loaded: [...document.querySelectorAll('[src],link')].filter(
    e => !(e.getAttribute('src') || '').startsWith('data:')).length,
  links: [...document.links].map(a => a.getAttribute('href')),
  broken: [...document.querySelectorAll('a[href^="#"]')].filter(
    a => !document.getElementById(a.getAttribute('href').slice(1))).length,
  marked: /\\[\\[|\\{\\{|\\{%/.test(document.body.innerText),
  mains: document.querySelectorAll('main').length,
  headers: [...document.querySelectorAll('th')].filter(e => !e.scope).length,
  scrolling: [...document.querySelectorAll('.scroll')].filter(
    e => e.tabIndex !== 0 || e.getAttribute('role') !== 'region'
      || !document.getElementById(e.getAttribute('aria-labelledby'))).length,
  stray: [...document.querySelectorAll('figure')].filter(
    e => ![...document.querySelectorAll('.text a')].some(a => a.getAttribute('href') === '#' + e.id)).length,
  paper: getComputedStyle(document.body).backgroundColor,
}
"""
SMALLEST = 9.0 / 72
"""Text of a picture in inches."""


def look(browser, file: Path, lang: str, width: int, scheme: str = "light") -> None:
    """Open a page and check that it can be read, and that every link and reference leads somewhere."""
    colours = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", colours)
    # Headless Chromium has a least width of window, so that a phone is what the page is told it is on.
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(file.as_uri())
    browser.execute_script("return document.fonts.ready")
    found = browser.execute_script(LOOK)
    assert not [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    if lang == "zh":
        for selector in ("h1", "main > p strong", "footer"):
            check_font(browser, selector)
    assert found["overflow"] <= 0
    assert found["lang"] == TAGS[lang]
    assert found["smallest"] >= 9
    assert found["mains"] == 1
    for wrong in ("loaded", "broken", "headers", "scrolling", "stray", "marked"):
        assert not found[wrong], wrong
    for link in found["links"]:
        assert link.startswith("#") or (file.parent / link).is_file(), link
    brightness = sum(map(int, re.findall(r"\d+", found["paper"])[:3]))
    assert brightness > 600 if scheme == "light" else brightness < 150
    assert found["pictures"]
    for picture in found["pictures"]:
        assert picture["natural"] == round(style.WIDTH * style.DPI)
        assert picture["alt"]
        assert picture["shown"] * SMALLEST / style.WIDTH >= 8.5  # the smallest text of a picture, in pixels


def check_font(browser, selector: str) -> None:
    """Every Chinese character of an element is drawn with the font inside the page, and none as an empty box."""
    browser.execute_cdp_cmd("DOM.enable", {})
    browser.execute_cdp_cmd("CSS.enable", {})
    root = browser.execute_cdp_cmd("DOM.getDocument", {"depth": 1})["root"]["nodeId"]
    node = browser.execute_cdp_cmd("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    fonts = browser.execute_cdp_cmd("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
    drawn = sum(font["glyphCount"] for font in fonts if font["familyName"] == "gradsim han")
    text = browser.execute_script("return document.querySelector(arguments[0]).innerText", selector)
    assert drawn == len(re.findall("[\u2e80-\uffef]", text)), (selector, fonts)


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
    with style.applied("en"):
        drawn = lesson.draw(tables, Words(lesson.texts, "en"))
    for picture in drawn.values():
        assert picture.get_figwidth() == style.WIDTH
        assert min(text.get_fontsize() for text in picture.findobj(Text) if text.get_text().strip()) >= 72 * SMALLEST
    expected = {f"{name}.{lang}.{form}" for name in drawn for lang in LANGUAGES for form in ("png", "svg")}
    expected |= {f"{name}.parquet" for name in tables} | {f"{lang}.html" for lang in LANGUAGES} | {NAME}
    assert {path.name for path in folder.iterdir()} == expected
    chromium = request.getfixturevalue("browser")
    for lang in LANGUAGES:
        look(chromium, folder / f"{lang}.html", lang, 1280)
        look(chromium, folder / f"{lang}.html", lang, 400, "dark")
