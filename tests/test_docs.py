"""Every code block of the README and the guides runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gradsim as gs

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    if "import duckdb" in page.read_text(encoding="utf-8"):
        pytest.importorskip("duckdb")
    names: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)
    assert "quenched_log_gain" in capsys.readouterr().out or page.name != "README.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_toml_blocks(page, tmp_path):
    for block in blocks(page, "toml"):
        file = tmp_path / "sweep.toml"
        file.write_text(block, encoding="utf-8")
        assert gs.Sweep.from_toml(file).cell_count > 0


def test_shipped_sweeps():
    for name in ("phase-tanh", "phase-sigmoid", "phase-relu"):
        assert gs.Sweep.from_toml(name).cell_count > 50


def test_commands_of_the_readme_exist():
    from gradsim.cli import cli

    words = set(re.findall(r"gradsim (\w+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert words & set(cli.commands) == {"run", "boundary", "lesson"}


def test_readme_lists_the_tables():
    from gradsim_core.activations import ACTIVATIONS
    from gradsim_core.laws import LAWS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(re.search(rf"\b{name}\b", text) for name in [*ACTIVATIONS, *LAWS])
