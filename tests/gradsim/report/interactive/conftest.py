"""A run with several values of most axes, its report, and what reads the report's data."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import gradsim as gs
from tests.gradsim.small_runs import made

AXE = Path(__file__).parents[4] / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"


def data_of(page: Path):
    """What the script of a page reads."""
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture(scope="session")
def run(tmp_path_factory) -> gs.Run:
    pytest.importorskip("vl_convert")
    return made(
        tmp_path_factory.mktemp("report") / "sweep", activation=["tanh", "relu"], sigma_w=[1.0, 1.2, 1.4, 1.7, 2.0],
        depth=[4, 8], width=[8, 16], networks=200,
    )  # fmt: skip


@pytest.fixture(scope="session")
def pages(run, tmp_path_factory):
    """The report in each language."""
    folder = tmp_path_factory.mktemp("pages")
    return {lang: run.report(folder / f"{lang}.html", lang=lang) for lang in ("en", "zh")}


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core, the accessibility checker of Deque; tests skip where it was not installed."""
    if not AXE.is_file():
        pytest.skip("axe-core is not installed: npm install --prefix build/axe --no-save axe-core")
    return AXE.read_text(encoding="utf-8")
