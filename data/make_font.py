"""Make gradsim_data/fonts/han.otf: of Noto Sans CJK SC, just the characters that lessons and reports use.

python data/make_font.py /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc
"""

from __future__ import annotations

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTCollection

from gradsim.lessons import LESSONS
from gradsim.lessons.texts.frame import FRAME
from gradsim.report.interactive.reasons import CHINESE
from gradsim.report.interactive.words import WORDS

TARGET = Path(__file__).parent / "gradsim_data" / "fonts" / "han.otf"
FAMILY, NAME = "Noto Sans CJK SC", "gradsim han"


def characters() -> set[str]:
    """Every character of every text beyond Latin."""
    texts = [text for table in (FRAME, WORDS, *(lesson.texts for lesson in LESSONS.values())) for pair in table.values()
             for text in pair]  # fmt: skip
    return {character for character in "".join([*texts, *CHINESE.values()]) if ord(character) >= 0x2E80}


def main(source: str) -> None:
    """Cut the font, and name it so that no one takes it for the whole one."""
    font = next(font for font in TTCollection(source).fonts if font["name"].getDebugName(1) == FAMILY)
    cutter = Subsetter(Options(layout_features=[], hinting=False, name_IDs=[0, 13, 14], notdef_outline=True))
    cutter.populate(text="".join(sorted(characters())) + " ")
    cutter.subset(font)
    font.recalcTimestamp = False  # the same bytes again
    for name_id, name in ((1, NAME), (2, "Regular"), (4, NAME), (6, "gradsim-han")):
        font["name"].setName(name, name_id, 3, 1, 0x409)
    font["CFF "].cff.fontNames = ["gradsim-han"]
    TARGET.parent.mkdir(exist_ok=True)
    font.save(TARGET)
    print(TARGET.name, TARGET.stat().st_size, "bytes,", len(characters()), "characters")


if __name__ == "__main__":
    main(sys.argv[1])
