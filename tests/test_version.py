"""One version: `gradsim.version`, from which everything else takes it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import gradsim
from gradsim.system.provenance import environment

ROOT = Path(__file__).parents[1]


def test_the_citation_and_the_changelog_agree() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [gradsim.__version__]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changelog, re.MULTILINE)[0] == gradsim.__version__


def test_the_distribution_takes_it_from_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "gradsim.version.__version__"}


def test_runs_record_it() -> None:
    assert environment()["gradsim"] == gradsim.__version__
