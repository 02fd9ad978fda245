"""References in a text: numbers in the order of the text, pictures with the paragraph that speaks of them."""

from __future__ import annotations

import pytest

from gradsim.lessons import LESSONS
from gradsim.lessons.body import compose
from gradsim.lessons.texts.frame import FRAME
from gradsim.report.languages import LANGUAGES, Words

jinja2 = pytest.importorskip("jinja2")


def composed(body: str, shown: dict[str, list[str]], quick: bool = False, lang: str = "en"):
    texts = {"body": (body, body)} | {f"figure.{name}": ("c", "c") for name in "abc"} | {"table.t": ("c", "c")}
    return compose(Words(texts, lang), Words(FRAME, lang), quick, {"figure": [], "table": []} | shown)


def test_numbers_follow_the_text_and_pictures_the_paragraph():
    body = composed(
        "<p>See {{ figure.b }} and {{ table.t }}.</p><p>Then {{ figure.a }}, not {{ figure.b }}.</p><p>End.</p>",
        {"figure": ["a", "b"], "table": ["t"]},
    )
    assert body.numbers == {("figure", "b"): 1, ("figure", "a"): 2, ("table", "t"): 1}
    assert [(part.figures, part.tables) for part in body.parts] == [(["b"], ["t"]), (["a"], [])]
    assert body.parts[0].text == '<p>See <a href="#figure-b">Figure 1</a> and <a href="#table-t">Table 1</a>.</p>'
    assert body.parts[1].text.endswith("</p><p>End.</p>")  # beside the picture


def test_pictures_that_the_text_does_not_name_come_last():
    body = composed("<p>{{ figure.c }}</p>", {"figure": ["a", "c"]}, lang="zh")
    assert [part.figures for part in body.parts] == [["c"], ["a"]]
    assert body.numbers[("figure", "a")] == 2
    assert "图 1" in body.parts[0].text


def test_a_picture_that_could_not_be_drawn_is_no_link():
    body = composed("<p>{{ figure.a }}, {{ figure.b }}</p>", {"figure": ["b"]})
    assert body.parts[0].text == '<p>Figure 1, <a href="#figure-b">Figure 2</a></p>'
    assert body.parts[0].figures == ["b"]


def test_forms_have_their_own_sentences():
    text = "<p>{% if quick %}short{% else %}long {{ figure.a }}{% endif %}</p>"
    assert composed(text, {}, quick=True).parts[0].text == "<p>short</p>"
    assert "long" in composed(text, {"figure": ["a"]}).parts[0].text


def test_a_reference_to_nothing_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="z"):
        composed("<p>{{ figure.z }}</p>", {})


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_every_picture_is_described_and_spoken_of(lesson):
    """In both languages: an alternative text other than the caption, and a reference in the text, in the full form."""
    kinds = {kind: Words(lesson.texts, "en").names(kind) for kind in ("figure", "table")}
    assert sorted(kinds["figure"]) == sorted(Words(lesson.texts, "en").names("alt"))
    orders = []
    for lang in LANGUAGES:
        words = Words(lesson.texts, lang)
        body = compose(words, Words(FRAME, lang), False, kinds)
        assert not [part for part in body.parts if not part.text]
        assert all(words(f"alt.{name}") != words(f"figure.{name}") for name in kinds["figure"])
        orders.append(sorted(body.numbers.items()))
    assert orders[0] == orders[1]  # a number means the same picture in every language
