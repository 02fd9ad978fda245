"""The documentation site builds without a warning, offline, and its reference has every public name."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import gradsim as gs
from tests.installed import skip_without

skip_without("sphinx", "myst_nb", "sphinx_gallery", "furo", "numpydoc")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, without the results of examples, which other tests execute."""
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, str(ROOT / "docs" / "build.py"), "--quick", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out / "html"


def test_every_public_name_is_in_the_reference(site):
    names = [name for name in gs.__all__ if not name.startswith("_") and name not in ("theory", "plots", "lessons")]
    places = {"gradsim": names, "theory": gs.theory.__all__, "plots": gs.plots.__all__}
    for page, found in places.items():
        text = (site / "reference" / f"{page}.html").read_text(encoding="utf-8")
        modules = ("gradsim", "gradsim.errors") if page == "gradsim" else (f"gradsim.{page}",)
        missing = [name for name in found if not any(f'id="{module}.{name}"' in text for module in modules)]
        assert not missing, page


def test_every_command_is_in_the_reference(site):
    from gradsim.cli.commands import cli

    text = (site / "reference" / "commands.html").read_text(encoding="utf-8")
    assert all(f"Usage: gradsim {name}" in re.sub("<[^>]+>", "", text) for name in cli.commands)


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(https?:[^"]*)"', page.read_text("utf-8"))
        assert not loaded, page.name


def test_links_lead_to_pages(site):
    for page in site.rglob("*.html"):
        for link in re.findall(r'<a[^>]*href="([^"#:?]+)[#"]', page.read_text("utf-8")):
            assert (page.parent / link).exists(), (page.name, link)
