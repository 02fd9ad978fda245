"""The ladders of packages that the architecture page shows are those that import-linter checks."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def rungs(text: str) -> list[set[str]]:
    """Highest first; packages on one rung do not import each other."""
    return [{name.strip() for name in rung.split("|")} for rung in text.split(">")]


def shown() -> dict[str, list[set[str]]]:
    page = (ROOT / "core/README.md").read_text(encoding="utf-8")
    block = re.findall(r"^```ladder\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    ladders = re.findall(r"^(\w+): (.*?)(?=^\w|\Z)", block[0], re.MULTILINE | re.DOTALL)
    return {package: rungs(ladder) for package, ladder in ladders}


def checked(package: str) -> list[set[str]]:
    """The layers of a package's contract, with names relative to the package, as the page has them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    containers = {"gradsim": None, "gradsim_core": ["gradsim_core"]}[package]
    contracts = (contract for contract in settings["contracts"] if contract["type"] == "layers")
    (layers,) = (contract["layers"] for contract in contracts if contract.get("containers") == containers)
    return [{name.removeprefix("gradsim.") for name in rung} for layer in layers for rung in rungs(layer)]


@pytest.mark.parametrize("package", ["gradsim", "gradsim_core"])
def test_the_page_shows_the_contract(package: str) -> None:
    assert shown()[package] == checked(package)


@pytest.mark.parametrize("package", ["gradsim", "gradsim_core"])
def test_every_folder_is_on_a_rung(package: str) -> None:
    folder = ROOT / {"gradsim": "gradsim", "gradsim_core": "core/gradsim_core"}[package]
    packages = {path.parent.name for path in folder.glob("*/__init__.py")}
    assert packages <= set().union(*shown()[package])
