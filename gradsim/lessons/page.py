"""The page of a lesson, and the page that lists lessons."""

from __future__ import annotations

from collections.abc import Sequence

from gradsim.lessons.body import anchor, compose
from gradsim.lessons.lesson import Lesson, Settings, Tables
from gradsim.lessons.navigation import Link
from gradsim.lessons.texts.frame import FRAME
from gradsim.report import style
from gradsim.report.languages import TAGS, Words
from gradsim.report.page import base64_text, fill_text, plain_text, table
from gradsim.report.page import render as fill
from gradsim.version import __version__

_PACKAGE = "gradsim.lessons"


def render(
    lesson: Lesson, words: Words, tables: Tables, pictures: dict[str, bytes], settings: Settings, nav: Sequence[Link]
) -> bytes:
    """Return the page of a lesson in one language, with its pictures (PNG) inside and links to other pages."""
    frame = Words(FRAME, words.lang)

    def text(key: str) -> str:
        return fill_text(words(key), {"quick": settings.quick})

    findings = [finding._asdict() | {"subject": text(f"finding.{finding.key}")} for finding in lesson.find(tables)]
    values = {
        "title": text("title"),
        "lead": text("lead"),
        "parts": _parts(words, pictures, lesson.show(tables, words), settings.quick),
        "quick": settings.quick,
        "findings": findings,
        "files": [f"{name}.parquet" for name in tables],
        "command": f"gradsim lesson {lesson.name} --lang {words.lang} --seed {settings.seed}"
        f"{' --quick' * settings.quick}",
        "nav": nav,
    }
    return fill(_PACKAGE, "lesson.html", _around(frame) | values)


def render_index(lessons: Sequence[Lesson], lang: str, nav: Sequence[Link] = ()) -> bytes:
    """Return the page that lists lessons, with a link to the page of each in the same language."""
    rows, frame = [], Words(FRAME, lang)
    for lesson in lessons:
        title, lead = (fill_text(Words(lesson.texts, lang)(key), {"quick": False}) for key in ("title", "lead"))
        rows.append({"title": title, "lead": lead, "link": f"{lesson.name}/{lang}.html"})
    return fill(_PACKAGE, "index.html", _around(frame) | {"title": frame("lessons"), "lessons": rows, "nav": nav})


def _around(frame: Words) -> dict[str, object]:
    """What every page has: its language, its font, and the texts around those of the lesson."""
    texts = {key: frame(key) for key in FRAME}
    texts["version"] = frame("version", version=__version__)
    font = base64_text(style.font_path().read_bytes()) if frame.lang == "zh" else ""
    return {"lang": TAGS[frame.lang], "font": font, "frame": texts}


def _parts(words: Words, pictures: dict[str, bytes], shown: Tables, quick: bool) -> list[dict[str, object]]:
    """The parts of the body, each with its pictures and tables as the template wants them."""
    frame = Words(FRAME, words.lang)
    body = compose(words, frame, quick, {"figure": pictures, "table": shown})

    def entry(kind: str, name: str) -> dict[str, str]:
        label = frame("label", label=frame(kind, number=body.numbers[kind, name]))
        caption = fill_text(words(f"{kind}.{name}"), {"quick": quick})
        return {"anchor": anchor(kind, name), "label": label, "caption": caption}

    def picture(name: str) -> dict[str, str]:
        made = entry("figure", name)
        seen = fill_text(words(f"alt.{name}"), {"quick": quick}) if f"alt.{name}" in words else made["caption"]
        return made | {"alt": plain_text(seen), "data": base64_text(pictures[name])}

    return [
        {
            "text": part.text,
            "figures": [picture(name) for name in part.figures],
            "tables": [entry("table", name) | {"rows": table(shown[name])} for name in part.tables],
        }
        for part in body.parts
    ]
