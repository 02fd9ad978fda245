"""The page of a lesson: one file of HTML that holds its pictures and its font, and opens offline."""

from __future__ import annotations

import base64
import html
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pandas as pd

from gradsim.lessons.lesson import Finding, Lesson, Settings, Tables, Words
from gradsim.lessons.pictures import font_path
from gradsim.version import __version__

if TYPE_CHECKING:
    import jinja2

FRAME = {
    "finding": ("Predicted and measured", "预测与实测"),
    "what": ("What", "内容"),
    "predicted": ("Predicted", "预测"),
    "measured": ("Measured", "实测"),
    "holds": ("Agrees", "相符"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "files": ("Numbers", "数据"),
    "again": ("The same again", "重新运行"),
    "quick": (
        "Quick form: fewer networks and epochs than the lesson itself, so bands are wide.",
        "快速版：网络与训练轮数比正式版少，因此区间较宽。",
    ),
    "lessons": ("Why deep networks are hard to train: ten lessons", "深度网络为何难以训练：十课"),
    "other": ("中文", "English"),
}

_TEMPLATE = """\
<!doctype html>
<html lang="{{ lang }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
{% if font %}@font-face { font-family: "gradsim han"; src: url(data:font/otf;base64,{{ font }}); }{% endif %}
body { font: 16px/1.6 system-ui, "DejaVu Sans", sans-serif{% if font %}, "gradsim han"{% endif %}; color: #1a1a1a;
  background: #fff; margin: 0 auto; max-width: 68rem; padding: 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
sub, sup { line-height: 0; }
p, ul { max-width: 44rem; } .lead { font-size: 1.1rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1.5rem;
  margin: 1.5rem 0; }
figure { margin: 0; } figure img { width: 100%; max-width: 32rem; height: auto; display: block; }
figcaption, caption { font-size: .9rem; color: #444; text-align: left; }
.table { overflow-x: auto; } table { border-collapse: collapse; font-size: .92rem; margin: .5rem 0; }
th, td { padding: .3rem .7rem .3rem 0; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
td.no { color: #a00; font-weight: bold; }
footer { margin-top: 2rem; font-size: .85rem; color: #555; } code { font-size: .9em; overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% if quick %}<p><strong>{{ frame.quick }}</strong></p>{% endif %}
<p class="lead">{{ lead|safe }}</p>
{{ body|safe }}
<h2>{{ frame.finding }}</h2>
<div class="table"><table class="findings">
<tr><th>{{ frame.what }}</th><th>{{ frame.predicted }}</th><th>{{ frame.measured }}</th><th>{{ frame.holds }}</th></tr>
{% for f in findings %}<tr><td>{{ f.what|safe }}</td><td>{{ f.predicted }}</td><td>{{ f.measured }}</td>
<td class="{{ "yes" if f.holds else "no" }}">{{ frame.yes if f.holds else frame.no }}</td></tr>
{% endfor %}</table></div>
<div class="pictures">
{% for p in pictures %}<figure><img alt="{{ p.alt }}" src="data:image/png;base64,{{ p.data }}">
<figcaption>{{ p.caption|safe }}</figcaption></figure>
{% endfor %}</div>
{% for t in tables %}<div class="table">{{ t|safe }}</div>
{% endfor %}<footer>
<p>{{ frame.files }}: {% for name in files %}<code>{{ name }}</code>{{ ", " if not loop.last }}{% endfor %}</p>
<p>{{ frame.again }}: <code>{{ command }}</code> (gradsim {{ version }})</p>
</footer>
</body>
</html>
"""

_INDEX = """\
<!doctype html>
<html lang="{{ lang }}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title><style>body { font: 16px/1.6 system-ui, sans-serif; margin: 0 auto; max-width: 44rem;
padding: 1rem; } li { margin: .6rem 0; }</style></head>
<body><h1>{{ title }}</h1><ol>
{% for one in lessons %}<li><a href="{{ one.link }}">{{ one.title }}</a><br>{{ one.lead|safe }}</li>
{% endfor %}</ol></body></html>
"""


@cache
def _compiled(template: str) -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False)
    return environment.from_string(template)


def render(lesson: Lesson, words: Words, tables: Tables, pictures: dict[str, bytes], settings: Settings) -> bytes:
    """Return the page of a lesson in one language, with its pictures (PNG) inside."""
    command = f"gradsim lesson {lesson.name} --lang {words.lang} --seed {settings.seed}{' --quick' * settings.quick}"
    frame = Words(FRAME, words.lang)
    shown = [_table(table, words(f"table.{name}")) for name, table in lesson.show(tables, words).items()]
    values: dict[str, Any] = {
        "lang": words.lang,
        "title": words("title"),
        "lead": words("lead"),
        "body": words("body"),
        "quick": settings.quick,
        "frame": {key: frame(key) for key in FRAME},
        "findings": [_finding(found, words) for found in lesson.find(tables)],
        "pictures": [
            {"alt": _plain(words(f"figure.{name}")), "caption": words(f"figure.{name}"), "data": _base64(content)}
            for name, content in pictures.items()
        ],
        "tables": shown,
        "files": [f"{name}.parquet" for name in tables],
        "command": command,
        "version": __version__,
        "font": _base64(font_path().read_bytes()) if words.lang == "zh" else "",
    }
    return _compiled(_TEMPLATE).render(values).encode()


def render_index(rows: list[dict[str, str]], lang: str) -> bytes:
    """Return the page that lists lessons: rows of title, lead and link."""
    title = Words(FRAME, lang)("lessons")
    return _compiled(_INDEX).render(lang=lang, title=title, lessons=rows).encode()


def _finding(found: Finding, words: Words) -> dict[str, Any]:
    return found._asdict() | {"what": words(f"finding.{found.key}")}


def _table(table: pd.DataFrame, caption: str) -> str:
    text = table.to_html(index=False, border=0, float_format=lambda value: f"{value:.4g}", na_rep="")
    return text.replace("<thead>", f"<caption>{caption}</caption><thead>", 1)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _plain(text: str) -> str:
    return html.unescape(re.sub("<[^>]*>", "", text))
