"""The table of initialisations in a report: the numbers of the summary, in colours that can be read."""

from __future__ import annotations

import re

import numpy as np
import pytest

import gradsim as gs
from gradsim.report.interactive.initialisations import cell_of, initialisations
from gradsim.report.interactive.words import WORDS
from gradsim.report.languages import Words
from gradsim.runs.reporting import facts_of

pytest.importorskip("jinja2")
pytest.importorskip("vl_convert")
ENGLISH = Words(WORDS, "en")


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    sweep = gs.Sweep(activation=["tanh", "relu"], preset=["he_normal", "xavier_normal", "critical"], depth=[3, 9],
                     width=[8, 16], networks=60, seed=1)  # fmt: skip
    return gs.run(sweep, out=tmp_path_factory.mktemp("presets") / "run", progress="none")


def test_numbers_are_those_of_the_deepest_cells(presets):
    table, summary = initialisations(facts_of(presets, 0.95), ENGLISH), presets.summary()
    assert table["columns"] == ["he_normal", "xavier_normal", "critical"]
    assert "width 8, depth 9" in table["caption"]
    chosen = summary[(summary["depth"] == 9) & (summary["width"] == 8)].set_index(["activation", "preset"])
    chosen = chosen["median_log_gain"] / (2 * np.log(10.0))
    for activation, cells in table["rows"]:
        for preset, cell in zip(table["columns"], cells, strict=True):
            assert float(cell["text"].replace("\N{MINUS SIGN}", "-")) == pytest.approx(
                chosen[activation, preset], abs=0.05
            )


def test_the_page_has_the_table(presets, tmp_path):
    for lang, title in (("en", "Initialisations"), ("zh", "初始化")):
        page = presets.report(tmp_path / f"{lang}.html", lang=lang).read_text(encoding="utf-8")
        table = page[page.index('<table class="initialisations">') :].partition("</table>")[0]
        assert (table.count("<td style="), table.count('<th scope="row">')) == (6, 2)
        assert f'<h2 id="initialisations-title">{title}</h2>' in page


def test_a_run_without_presets_has_none(run):
    assert initialisations(facts_of(run, 0.95), ENGLISH) is None


@pytest.mark.parametrize("decades", [*np.linspace(-4, 4, 33), np.nan])
def test_text_has_contrast(decades):
    """At least 4.5 to 1 (WCAG 2.2, level AA)."""
    cell = cell_of(float(decades), 3.0, ENGLISH)

    def luminance(colour):
        parts = [int(part, 16) / 255 for part in re.findall("..", colour[1:])]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(luminance, (cell["paper"], cell["ink"])))
    assert (high + 0.05) / (low + 0.05) >= 4.5
