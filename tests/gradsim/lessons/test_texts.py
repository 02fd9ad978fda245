"""Texts are complete in every language, and pictures have a glyph for each of their characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradsim.lessons import LESSONS
from gradsim.lessons.lesson import LANGUAGES
from gradsim.lessons.texts.frame import FRAME
from gradsim.report import style

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
