"""A report in headless Chromium: it loads without errors, does what it says, and is accessible."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import pytest

import gradsim as gs
from tests.gradsim.report.interactive.conftest import data_of
from tests.gradsim.small_runs import made, one, straight

pytest.importorskip("vl_convert")
pytest.importorskip("selenium")
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

SECONDS = 20.0


class Page:
    """A page in the browser, and what a reader does with it."""

    def __init__(self, browser, file: Path, width: int = 1280, scheme: str = "light") -> None:
        self.browser, self.file = browser, file
        colours = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", colours)
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        browser.get(file.as_uri())
        self.until(self.ready)

    def ready(self) -> bool:
        """Whether all diagrams are drawn."""
        return self.script("return document.documentElement.dataset.ready === 'yes'")

    def script(self, text: str, *arguments):
        return self.browser.execute_script(text, *arguments)

    def until(self, seen) -> None:
        """Wait until something is seen."""
        end = time.monotonic() + SECONDS
        while not seen():
            assert time.monotonic() < end, self.problems()
            time.sleep(0.02)

    def problems(self) -> list[str]:
        """Warnings and errors of the console since the last look."""
        log = self.browser.get_log("browser")
        return [entry["message"] for entry in log if entry["level"] in ("SEVERE", "WARNING")]

    def __getitem__(self, selector: str):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def choose(self, name: str, text: str) -> None:
        """Choose a value by its text, and wait for the diagram."""
        Select(self[f"#choose-{name}"]).select_by_visible_text(text)
        self.until(self.ready)

    def point_at(self, element) -> None:
        """Move the pointer onto an element, from elsewhere, and wait for the box with its numbers."""
        ActionChains(self.browser).move_to_element(self["h1"]).move_to_element(element).perform()
        self.until(lambda: self.all("#vg-tooltip-element.visible"))

    def rectangles(self):
        """The cells of the phase diagram."""
        return self.all("#phase svg g.mark-rect.layer_0_marks path")

    def column(self, table: str, name: str) -> list[str]:
        """The cells of a column of a table, by the text of its head."""
        heads = [head.text for head in self.all(f"#{table} th")]
        place = next(i for i, head in enumerate(heads) if head.strip(" ▲▼") == name) + 1
        return [cell.text for cell in self.all(f"#{table} td:nth-child({place})")]


@pytest.mark.parametrize(
    ("lang", "width", "scheme"), list(itertools.product(("en", "zh"), (1280, 400), ("light", "dark")))
)
def test_the_page_loads_and_is_accessible(pages, browser, axe, lang, width, scheme):
    page = Page(browser, pages[lang], width, scheme)
    assert page.problems() == []
    assert page.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert len(page.rectangles()) == 10
    assert page["#verdict p"].text
    loaded = "return [...document.querySelectorAll('[src], link')].length"
    assert page.script(loaded) == 0  # nothing comes from elsewhere
    page.script(axe)
    found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    wrong = [(v["id"], v["impact"], v["nodes"][0]["html"][:120]) for v in found["violations"]]
    assert not [one for one in wrong if one[1] in ("serious", "critical")]
    ink = page.script("return getComputedStyle(document.querySelector('#phase text')).fill")
    assert ink == ("rgb(230, 230, 230)" if scheme == "dark" else "rgb(26, 26, 26)")


def test_a_planted_fault_of_accessibility_is_found(pages, browser, axe):
    page = Page(browser, pages["en"])
    page.script("document.getElementById('cells').parentElement.replaceWith(document.getElementById('cells'))")
    page.script(axe)
    found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    assert "select-name" in [violation["id"] for violation in found["violations"]]


@pytest.fixture
def page(pages, browser):
    return Page(browser, pages["en"])


def test_pointing_at_a_cell_shows_its_numbers(page, pages):
    cells = data_of(pages["en"])["cells"]
    page.point_at(page.rectangles()[2])
    seen = dict(zip(*[iter(page["#vg-tooltip-element"].text.replace("\n", " ").split(" "))] * 2, strict=False))
    assert seen["cell"] == "2"
    text = page["#vg-tooltip-element"].text
    assert f"{cells['quenched'][2]:.4g}".replace("-", "\u2212") in text.replace("-", "\u2212")


def test_clicking_a_cell_shows_its_layers(page, pages):
    ActionChains(page.browser).move_to_element(page.rectangles()[3]).click().perform()
    page.until(lambda: page["#chosen"].text.startswith("Cell 3: depth 4"))
    page.until(lambda: len(page.all("#layers svg g.mark-symbol path")) == 4)
    assert page["#cell-table tr[aria-current] td button"].text == "3"
    assert page.problems() == []


def test_choices_change_diagram_verdict_and_list(page):
    assert page["#verdict p"].text.startswith("At depth 8 and width 8")
    page.choose("width", "16")
    assert page["#verdict p"].text.startswith("At depth 8 and width 16")
    page.choose("activation", "relu")
    assert "Exact at this width" in page["#verdict p"].text
    quenched = page["#verdict p"].text
    page.choose("kind", "median")
    assert page["#verdict p"].text != quenched
    assert page["#choose-law"].is_displayed() is False  # a single value is no choice
    page.choose("shade", "share within a decade")
    assert "share within a decade" in page["#phase svg"].get_attribute("textContent")
    page.choose("quantity", "log₁₀ q (mean square of h)")
    assert "log₁₀ q" in page["#layers svg"].get_attribute("textContent")
    chosen = [option.text for option in Select(page["#cells"]).options]
    assert len(chosen) == 10
    assert page.problems() == []


def test_the_keyboard_reaches_every_cell(page):
    page.script("document.getElementById('cells').focus()")
    texts = []
    for _ in range(12):
        page.browser.switch_to.active_element.send_keys(Keys.ARROW_UP)
        texts.append(page["#chosen"].text)
    assert texts[-1].startswith("Cell 0:")
    for cell in range(1, 10):
        page.browser.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
        page.until(lambda cell=cell: page["#chosen"].text.startswith(f"Cell {cell}:"))
    button = page.all("#cell-table td button")[39]
    page.script("arguments[0].focus()", button)
    button.send_keys(Keys.ENTER)  # the table reaches those of other combinations
    page.until(lambda: page["#chosen"].text.startswith("Cell 39:"))
    assert Select(page["#choose-activation"]).first_selected_option.text == "relu"
    assert Select(page["#choose-width"]).first_selected_option.text == "16"


def test_tables_sort_filter_and_copy(page):
    (head,) = [head for head in page.all("#cell-table th button") if head.text == "std"]
    head.click()
    upward = [float(text) for text in page.column("cell-table", "std")]
    assert upward == sorted(upward)
    head.click()
    assert [float(text) for text in page.column("cell-table", "std")] == upward[::-1]
    assert page["#cell-table th[aria-sort]"].get_attribute("aria-sort") == "descending"
    page["#cell-table input"].send_keys("relu 16")
    cells = page.column("cell-table", "cell")
    assert page["#cell-table [role=status]"].text == f"{len(cells)} of 40 rows"
    assert 10 <= len(cells) < 20
    assert set(page.column("cell-table", "activation")) == {"relu"}
    page.browser.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    page["#cell-table .tools button"].click()
    page.until(lambda: page["#cell-table [role=status]"].text == f"{len(cells)} rows copied")
    lines = page.browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])").splitlines()
    assert lines[0].startswith("cell,activation,law,sigma_b,width,depth,sigma_w,quenched,median")
    assert [line.split(",")[0] for line in lines[1:]] == cells


HOSTILE = "<img src=x onerror=window.hurt=1>"
FORMULA = '=HYPERLINK("x")</script><script>window.hurt=1</script>'


def test_hostile_names_are_text(browser, tmp_path):
    own = [gs.Activation(HOSTILE, straight, one), gs.Activation(FORMULA, straight, one)]
    run = made(tmp_path / HOSTILE, activation=own, sigma_w=[0.8, 1.0, 1.2], depth=4, width=8, networks=20)
    page = Page(browser, run.report(tmp_path / "page.html"))
    assert page["h1"].text == f"Gradients in {HOSTILE}"
    page.choose("activation", FORMULA)
    page.point_at(page.rectangles()[1])
    assert set(page.column("boundary-table", "activation")) == {HOSTILE, FORMULA}
    assert page.script("return window.hurt") is None
    assert not page.all("img")
    browser.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    page["#boundary-table .tools button"].click()
    page.until(lambda: "copied" in page["#boundary-table [role=status]"].text)
    copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0])")
    assert '"\'=HYPERLINK(""x"")</script>' in copied  # no formula in a spreadsheet
    assert page.problems() == []


EDGES = {
    "one network": "Too few cells",
    "all dead": "there is no boundary",
    "one cell": "Too few cells",
    "depth 1": "A network of depth 1 has no boundary",
    "no crossing": "No crossing",
    "300 cells": "The crossing is lost in the noise",
    "long name": "are not finite",
}


@pytest.mark.parametrize("case", EDGES)
def test_a_run_with_little_in_it_says_so(edges, browser, tmp_path, case):
    page = Page(browser, edges[case].report(tmp_path / "page.html"), 400)
    assert EDGES[case] in page["#verdict"].get_attribute("textContent")
    assert page.problems() == []
    assert page.all("#phase svg")
    assert page.script("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0


def test_an_unfinished_run_says_so(browser, tmp_path):
    sweep = gs.Sweep(
        activation="tanh", sigma_w=[1.0, 1.5, 2.0], depth=4, width=8, networks=64, seed=1, shard_size=20_000
    )
    run = gs.run(sweep, tmp_path / "run", shard="1/2", progress="none")
    assert not run.complete
    page = Page(browser, run.report())
    assert "The run is not complete" in page[".warning"].text
    assert page.problems() == []


@pytest.mark.verify
def test_two_thousand_cells_of_64_layers_fit(browser, tmp_path):
    sweep = gs.Sweep(
        activation=["tanh", "relu"], sigma_w={"start": 0.8, "stop": 2.4, "num": 200}, depth=64,
        width=[8, 16, 32, 64, 128], networks=16, seed=1, method="conditional",
    )  # fmt: skip
    file = gs.run(sweep, tmp_path / "run", progress="none").report(tmp_path / "page.html", lang="zh")
    assert file.stat().st_size < 6e6
    page = Page(browser, file)
    assert page["#cell-table [role=status]"].text == "2000 行中的 2000 行"
    assert len(page.all("#cells option")) == 200
    assert page.problems() == []
