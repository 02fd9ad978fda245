"""Make gradsim_data/fonts/han.otf anew: the Chinese characters of all texts, out of Noto Sans CJK.

Run it after texts have got new characters, with the collection from https://github.com/notofonts/noto-cjk (OFL 1.1):

    python data/subset_font.py NotoSansCJK-Regular.ttc
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTCollection

from gradsim.lessons import LESSONS
from gradsim.lessons.texts.frame import FRAME
from gradsim.report.interactive.words import WORDS

TARGET = Path(__file__).parent / "gradsim_data" / "fonts" / "han.otf"
NAMES = {1: "gradsim han", 2: "Regular", 4: "gradsim han", 6: "gradsim-han"}  # OFL: not the name of the original
PUNCTUATION = 0x2E80  # Chinese characters and their punctuation begin here


def characters() -> set[int]:
    """Return every Chinese character of a text."""
    tables = [FRAME, WORDS, *(lesson.texts for lesson in LESSONS.values())]
    return {
        ord(letter) for table in tables for texts in table.values() for letter in texts[1] if ord(letter) >= PUNCTUATION
    }


def main(collection: str) -> None:
    """Write the font."""
    fonts = TTCollection(collection).fonts
    font = next(font for font in fonts if font["name"].getDebugName(1) == "Noto Sans CJK SC")
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[0, 13, 14])
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters())
    cutter.subset(font)
    for number, name in NAMES.items():
        font["name"].setName(name, number, 3, 1, 0x409)
    cff = font["CFF "].cff
    cff.fontNames = [NAMES[6]]
    cff.topDictIndex[0].FullName = cff.topDictIndex[0].FamilyName = NAMES[1]
    font.save(TARGET)


if __name__ == "__main__":
    main(*sys.argv[1:])
