"""The page of a lesson, and the page that lists lessons."""

from __future__ import annotations

from collections.abc import Sequence

from gradsim.lessons.lesson import Lesson, Settings, Tables, Words
from gradsim.lessons.texts.frame import FRAME
from gradsim.report import style
from gradsim.report.page import base64_text, plain_text, table
from gradsim.report.page import render as fill
from gradsim.version import __version__

_PACKAGE = "gradsim.lessons"


def render(lesson: Lesson, words: Words, tables: Tables, pictures: dict[str, bytes], settings: Settings) -> bytes:
    """Return the page of a lesson in one language, with its pictures (PNG) inside."""
    frame = Words(FRAME, words.lang)
    values = {
        "lang": words.lang,
        "title": words("title"),
        "lead": words("lead"),
        "body": words("body"),
        "quick": settings.quick,
        "frame": {key: frame(key) for key in FRAME},
        "findings": [
            finding._asdict() | {"subject": words(f"finding.{finding.key}")} for finding in lesson.find(tables)
        ],
        "pictures": [
            {"alt": plain_text(caption), "caption": caption, "data": base64_text(content)}
            for caption, content in ((words(f"figure.{name}"), content) for name, content in pictures.items())
        ],
        "tables": [table(shown, words(f"table.{name}")) for name, shown in lesson.show(tables, words).items()],
        "files": [f"{name}.parquet" for name in tables],
        "command": f"gradsim lesson {lesson.name} --lang {words.lang} --seed {settings.seed}"
        f"{' --quick' * settings.quick}",
        "version": __version__,
        "font": base64_text(style.font_path().read_bytes()) if words.lang == "zh" else "",
    }
    return fill(_PACKAGE, "lesson.html", values)


def render_index(lessons: Sequence[Lesson], lang: str) -> bytes:
    """Return the page that lists lessons, with a link to the page of each in the same language."""
    rows = []
    for lesson in lessons:
        words = Words(lesson.texts, lang)
        rows.append({"title": words("title"), "lead": words("lead"), "link": f"{lesson.name}/{lang}.html"})
    return fill(_PACKAGE, "index.html", {"lang": lang, "title": Words(FRAME, lang)("lessons"), "lessons": rows})
