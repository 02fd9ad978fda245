"""Texts are complete in every language, and pictures have a glyph for each of their characters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gradsim.lessons import LESSONS
from gradsim.lessons.texts.frame import FRAME
from gradsim.report import style
from gradsim.report.languages import LANGUAGES

pytest.importorskip("matplotlib")


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
    han = font_manager.get_font(str(style.font_path())).get_charmap()
    for lesson in LESSONS.values():
        for text in [text for pair in [*lesson.texts.values(), *FRAME.values()] for text in pair]:
            missing = {character for character in text if ord(character) not in latin and ord(character) not in han}
            assert not missing - {"\n"}, (lesson.name, missing)


SYNONYMS = {"S 形": "sigmoid", "下一层": "前一层 (below) or 后一层 (above)", "步子": "步长", "死掉": "死亡"}
"""Chinese words that are ambiguous or that a page would mix with the word it uses, and that word."""


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_chinese_has_one_word_for_one_thing(lesson):
    texts = [chinese for _, chinese in lesson.texts.values()]
    assert not [(word, text) for word in SYNONYMS for text in texts if word in text]
    # The cost is tied to the usual word, loss function, where a page first speaks of it; labels of axes come later.
    spoken = [text for key in ("lead", "body", "figure.", "table.") for name, (_, text) in lesson.texts.items()
              if name.startswith(key) and "代价" in text]  # fmt: skip
    assert not spoken or "即损失函数" in spoken[0].partition("代价")[2][:12]


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_chinese_sentences_have_chinese_punctuation(lesson):
    """No ASCII comma, colon or semicolon beside a Chinese character, on either side; formulas keep theirs."""
    for key, (_, chinese) in lesson.texts.items():
        assert not re.findall("[\u4e00-\u9fff] ?[,:;]|[,:;!?] ?[\u4e00-\u9fff]", chinese), key


def test_the_subject_has_both_its_chinese_names():
    texts = [chinese for lesson in LESSONS.values() for _, chinese in lesson.texts.values()]
    assert any("梯度消失（又称梯度弥散）" in text for text in texts)
