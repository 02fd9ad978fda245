"""Every sentence that the analysis writes has a translation, with its numbers."""

from __future__ import annotations

import ast
import inspect

import pandas as pd
import pytest

from gradsim import errors
from gradsim.analysis import boundaries, crossings, summaries
from gradsim.report.interactive.reasons import translate, with_reasons_in

WRITERS = [
    boundaries._crossing, boundaries._trust, boundaries._carried_by_few,
    crossings.find_crossing, summaries.why_unknown, errors.why_not_finite,
]  # fmt: skip
FILLED = {
    "side": ("below", "above"),
    "which": ("All networks are", "0.25 of the networks are"),
    "humps": ("", " Their gain has two humps."),
    "top": ("the top 0.01 % of the networks (at least one)",),
}
"""What a name stands for in a sentence; other values are numbers."""


def sentences():
    """The sentences that the sources write, with what names stand for."""
    for writer in WRITERS:
        tree = ast.parse(inspect.getsource(writer).lstrip())
        docstring = ast.get_docstring(tree.body[0], clean=False)
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and id(node) not in inside):
                parts = node.values if isinstance(node, ast.JoinedStr) else [node]
                texts = list(filled(parts))
                if isinstance(texts[0], str) and texts[0] != docstring and " " in texts[0].strip():
                    yield from (text for text in texts if text[0].isalnum() and text.endswith("."))


def filled(parts):
    """Every text that the parts of an f-string can make."""
    texts = [""]
    for part in parts:
        if isinstance(part, ast.Constant):
            choices = (part.value,)
        else:
            choices = FILLED.get(getattr(part.value, "id", ""), ("37",))
        texts = [text + choice for text in texts for choice in choices if isinstance(choice, str)]
    return texts or [None]


FOUND = sorted(set(sentences()))


def test_the_sources_have_sentences():
    assert len(FOUND) >= 12


@pytest.mark.parametrize("sentence", FOUND)
def test_translated(sentence):
    chinese = translate(sentence, "zh")
    assert chinese != sentence
    assert ("37" in chinese) == ("37" in sentence)
    assert translate(sentence, "en") == sentence


def test_what_is_unknown_stays():
    assert translate("Something else.", "zh") == "Something else."
    frame = with_reasons_in(pd.DataFrame({"reason": [None, "Something else."]}), "zh")
    assert frame["reason"].isna().tolist() == [True, False]
