"""Pages from templates: values are escaped, and a value that is missing is an error."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pandas as pd
import pytest

from gradsim.report import page

jinja2 = pytest.importorskip("jinja2")
VALUES = {"lang": "en", "title": "a < b & c", "font": ""}


def test_values_are_escaped():
    text = page.render("gradsim.report", "page.html", VALUES).decode()
    assert "<title>a &lt; b &amp; c</title>" in text
    assert "a < b" not in text
    assert "@font-face" not in text


def test_a_font_is_part_of_the_page():
    text = page.render("gradsim.report", "page.html", VALUES | {"font": page.base64_text(b"\0font")}).decode()
    assert "src: url(data:font/otf;base64,AGZvbnQ=)" in text
    # First of all, and for Chinese alone: else Chromium keeps some empty boxes that it draws before the font is there.
    assert 'font: 16px/1.6 "gradsim han", system-ui' in text
    assert "unicode-range: U+2E80-FFEF" in text


def test_a_missing_value_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="title"):
        page.render("gradsim.report", "page.html", {"lang": "en", "font": ""})


def test_templates_are_part_of_the_package():
    for package, name in (("report", "page.html"), ("report", "page.css"), ("lessons", "lesson.html")):
        assert resources.files(f"gradsim.{package}").joinpath("templates", name).is_file()


def test_tables():
    frame = pd.DataFrame({"x": [1 / 3, np.nan], "name": ["<b>", "ok"]})
    text = page.table(frame, "n<sub>1</sub>")
    assert "<caption>n<sub>1</sub></caption><thead>" in text
    assert "<caption>" not in page.table(frame)
    assert text.count('<th scope="col">') == 2
    assert "<td>0.3333</td>" in text
    assert "&lt;b&gt;" in text
    assert "NaN" not in text


def test_plain_text_for_those_who_cannot_see_a_picture():
    assert page.plain_text("δ<sup>l</sup> &amp; <i>C</i>") == "δl & C"
