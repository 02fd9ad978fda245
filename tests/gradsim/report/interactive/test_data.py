"""The data of a report equal the tables of the run, and its verdicts say what they mean."""

from __future__ import annotations

import base64

import numpy as np
import pandas as pd
import pytest

from gradsim import runs, theory
from gradsim.errors import SweepError
from gradsim.report import style
from gradsim.report.interactive import MOST_CELLS, embedded_cells, packing
from gradsim.report.interactive.reasons import CHINESE
from gradsim.report.interactive.verdicts import verdicts
from gradsim.report.interactive.words import WORDS
from gradsim.report.languages import LANGUAGES, Words
from gradsim.runs.reporting import facts_of
from tests.gradsim.report.interactive.conftest import data_of

pytest.importorskip("jinja2")
pytest.importorskip("vl_convert")

DECADE = np.log(10.0)
ENGLISH = Words(WORDS, "en")


def test_cells_are_those_of_the_summary(run, pages):
    data, summary = data_of(pages["en"]), run.summary()
    cells = pd.DataFrame(data["cells"])
    assert cells["cell"].tolist() == summary["cell_id"].tolist()
    for kind in ("quenched", "median", "annealed"):
        for end in ("", "_low", "_high"):
            found, wanted = cells[f"{kind}{end}"].astype(float), summary[f"{kind}_log_gain{end}"] / (2 * DECADE)
            np.testing.assert_allclose(found, wanted, rtol=1e-5)
    np.testing.assert_allclose(cells["live_share"], summary["live_share"], rtol=1e-5)
    groups = pd.DataFrame(data["groups"]).loc[cells["group"]].reset_index(drop=True)
    pd.testing.assert_frame_equal(groups, summary[groups.columns.tolist()], check_dtype=False)
    assert ((cells["x0"] < cells["sigma_w"]) & (cells["sigma_w"] < cells["x1"])).all()
    assert ((cells["y0"] < cells["depth"]) & (cells["depth"] < cells["y1"])).all()


def test_rectangles_tile_the_diagram(run):
    cells = packing.cells(facts_of(run, 0.95))
    for _, row in cells.groupby(["group", "depth"]):
        row = row.sort_values("sigma_w")
        np.testing.assert_allclose(row["x1"].iloc[:-1], row["x0"].iloc[1:])
    for _, column in cells.groupby(["group", "sigma_w"]):
        column = column.sort_values("depth")
        np.testing.assert_allclose(column["y1"].iloc[:-1], column["y0"].iloc[1:])


def decoded(data, quantity, cell):
    """The curves of a cell, as the script reads them."""
    packed, place = data["layers"], data["layers"]["cells"].index(cell)
    sizes = [len(packed["shown"][str(depth)]) * len(packed["curves"]) for depth in packed["depths"]]
    start = sum(sizes[:place])
    codes = np.frombuffer(base64.b64decode(packed["quantities"][quantity]["codes"]), "<i2")
    codes = codes[start : start + sizes[place]].reshape(len(packed["curves"]), -1).astype(float)
    scale = packed["quantities"][quantity]
    values = np.where(codes == -32768, np.nan, scale["low"][place] + scale["step"][place] * codes)
    return pd.DataFrame(values.T, columns=packed["curves"]), scale["step"][place]


@pytest.mark.parametrize("quantity", ["log_delta", "log_weight_grad", "log_q", "log_gain"])
def test_curves_are_those_of_the_layers_to_the_step_of_their_codes(run, pages, quantity):
    data, rows = data_of(pages["en"]), run.layers(quantity=quantity)
    for cell, wanted in rows.groupby("cell_id"):
        found, step = decoded(data, quantity, cell)
        wanted = wanted.sort_values("layer")[found.columns.tolist()].replace(-np.inf, np.nan) / DECADE
        np.testing.assert_allclose(found, wanted, atol=0.51 * step + 1e-12)
        assert step < 1e-3


def test_curves_of_any_size_are_coded_to_a_small_part_of_their_range():
    rng = np.random.default_rng(1)
    for scale in (1e-300, 1e-3, 1.0, 1e3, 1e300):
        values = scale * rng.normal(size=200)
        values[::7] = -np.inf
        codes, low, step = packing._coded(values)
        assert codes.min() >= -32768
        assert codes.max() <= 32767
        found = np.where(codes == -32768, -np.inf, low + step * codes)
        np.testing.assert_allclose(found, values, atol=0.51 * step)
        assert step <= np.ptp(values[np.isfinite(values)]) / 59_000
    assert packing._coded(np.full(3, 2.5))[1:] == (2.5, 0.0)
    assert packing._coded(np.full(3, np.nan))[0].tolist() == [-32768] * 3


def test_histograms_hold_every_live_network(run, pages):
    data, bins = data_of(pages["en"]), run.histograms(layer=1, quantity="log_gain")
    summary = run.summary().set_index("cell_id")
    for cell, rows in bins.groupby("cell_id"):
        first, width, counts = data["histograms"][str(cell)]
        assert sum(counts) == rows["networks"].sum()
        assert len(counts) <= 48
        middle = first + width * (np.arange(len(counts)) + 0.5)
        mean = np.average(middle, weights=counts)
        assert abs(mean - summary.loc[cell, "quenched_log_gain"] / (2 * DECADE)) <= 0.5 * width


def test_z_scores_are_distances_in_standard_errors(run, pages):
    found = pd.DataFrame(data_of(pages["en"])["boundaries"])
    table = run.boundary()
    error = (table["ci_high"] - table["ci_low"]) / (2 * 1.959964)
    for z, column in (("z", "theory"), ("z_width", "theory_width")):
        np.testing.assert_allclose(found[z].astype(float), (table["sigma_w"] - table[column]) / error, rtol=1e-4)
    assert found["z_width"].notna().any()


def test_many_cells_and_layers_are_thinned_evenly():
    assert embedded_cells(pd.DataFrame({"cell_id": np.arange(MOST_CELLS)})) == list(range(MOST_CELLS))
    some = embedded_cells(pd.DataFrame({"cell_id": np.arange(2001)}))
    assert (len(some), some[0], some[-1]) == (MOST_CELLS, 0, 2000)
    assert np.diff(some).max() <= 5
    assert packing.shown_layers(3) == [1, 2, 3]
    deep = packing.shown_layers(1000)
    assert (len(deep), deep[0], deep[-1]) == (64, 1, 1000)


ROW = {
    "activation": "tanh", "law": "gaussian", "sigma_b": 0.0, "width": 64, "depth": 32, "kind": "quenched",
    "sigma_w": 1.29, "ci_low": 1.287, "ci_high": 1.293, "theory": 1.2286, "theory_inf": 1.0,
    "theory_width": float("nan"), "direction": "up", "reason": None,
}  # fmt: skip


def said(expected=float("nan"), words=ENGLISH, **changes):
    return verdicts(pd.DataFrame([ROW | changes]), np.array([expected]), 0.95, words)[0]


def test_a_verdict_names_boundary_theory_and_what_explains_the_difference():
    assert said(theory.typical_sigma_w("tanh", 32, width=64)) == (
        "At depth 32 and width 64, gradients vanish below σ_w = 1.2900 ± 0.0030 and explode above it. Theory at "
        "infinite width: 1.22860 (z = +40.1); width 64 explains the difference: to first order in 1/width it is "
        "1.28848."
    )
    assert "does not explain the whole difference" in said(1.25)
    assert "what width 64 changes is not known here" in said()
    assert "the measurement agrees (z = +0.7)" in said(theory=1.289)
    assert "Exact at this width: 1.29100; the measurement agrees" in said(theory_width=1.291)
    assert "the measurement differs (z = +7.8)" in said(theory_width=1.278)
    assert said(direction="down").startswith("At depth 32 and width 64, gradients explode below σ_w = 1.2900")


def test_a_verdict_without_a_boundary_or_an_interval_invents_nothing():
    nan = float("nan")
    none = said(sigma_w=nan, ci_low=nan, ci_high=nan, direction=None, reason="No crossing of 0.")
    assert none == "At depth 32 and width 64 there is no boundary. No crossing of 0."
    rare = said(ci_low=nan, ci_high=nan, reason="Not to be trusted: rare networks.")
    assert rare == (
        "At depth 32 and width 64, gradients vanish below σ_w = 1.290 and explode above it. Not to be trusted: rare "
        "networks."
    )


def test_verdicts_speak_chinese():
    words = Words(WORDS, "zh")
    assert said(1.2885, words).startswith("深度 32、宽度 64：σ_w 低于 1.2900 ± 0.0030 时梯度消失，高于它时梯度爆炸。")
    assert "差异来自宽度 64" in said(1.2885, words)


def test_theory_at_the_width_of_the_shipped_boundaries(run):
    facts = facts_of(run, 0.95)
    rows = facts.boundary.assign(expected=facts.expected)
    for _, row in rows[
        (rows["activation"] == "tanh") & (rows["kind"] == "quenched") & rows["sigma_w"].notna()
    ].iterrows():
        wanted = theory.typical_sigma_w("tanh", row["depth"], row["sigma_b"], row["width"])
        assert row["expected"] == wanted or abs(row["expected"] - wanted) < 1e-9
    assert rows.loc[rows["kind"] != "quenched", "expected"].isna().all()


def test_every_text_is_in_both_languages_and_has_the_same_places():
    for key, texts in WORDS.items():
        assert len(texts) == len(LANGUAGES)
        assert all(texts) or key == "space"
        places = [sorted(part for part in text.replace("{", "}").split("}")[1::2]) for text in texts]
        assert places[0] == places[1], key


def test_every_chinese_character_is_in_the_font_of_pages():
    font_manager = pytest.importorskip("matplotlib.font_manager")
    glyphs = font_manager.get_font(str(style.font_path())).get_charmap()
    chinese = "".join([*(texts[1] for texts in WORDS.values()), *CHINESE.values()])
    missing = {character for character in chinese if ord(character) > 0x2E80 and ord(character) not in glyphs}
    assert not missing


def test_wrong_arguments_are_refused_before_anything_is_written(run, tmp_path):
    for arguments in ({"lang": "fr"}, {"level": 1.5}, {"output": 3}):
        with pytest.raises(SweepError):
            run.report(**({"output": tmp_path / "page.html"} | arguments))
    assert not list(tmp_path.iterdir())


def test_the_command_writes_into_the_directory(run, call, tmp_path):
    copy = run.compact(tmp_path / "copy").path
    assert call("report", copy)[:2] == (0, f"{copy / 'report.html'}\n")
    assert data_of(copy / "report.html")["layers"]["cells"]
    other = tmp_path / "made" / "page.html"
    assert call("report", copy, "--output", other, "--lang", "zh")[0] == 0
    assert 'lang="zh-Hans"' in other.read_text(encoding="utf-8")
    code, _, error = call("report", tmp_path / "nothing")
    assert code == 2
    assert "no gradsim dataset" in error or "does not exist" in error
    assert runs.open(copy).complete  # the page is no part of the dataset, and nothing complains of it
    assert call("verify", copy)[0] == 0
