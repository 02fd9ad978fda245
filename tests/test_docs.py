"""Every code block of the README and the guides runs."""

from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

import gradsim as gs

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def clusters(monkeypatch):
    """Clusters that are not here, with the interface that the pages use, made of threads of this machine."""
    distributed = pytest.importorskip("distributed")

    class Cluster(distributed.LocalCluster):
        n_workers = 1

        def __init__(self, *arguments, **options):
            one = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "protocol": "tcp"}
            super().__init__(**one, host="127.0.0.1", dashboard_address=None)

        def scale(self, n=1, *, jobs=None):
            return super().scale(n)  # which closing calls, too

    def module(name, **contents):
        made = ModuleType(name)
        made.__dict__.update(contents)
        monkeypatch.setitem(sys.modules, name, made)

    monkeypatch.setattr(distributed, "SSHCluster", Cluster)
    module("dask_jobqueue", SLURMCluster=Cluster)
    module("dask_jobqueue.slurm", SLURMRunner=Cluster)
    module("mpi4py")
    module("mpi4py.futures", MPIPoolExecutor=ThreadPoolExecutor)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks(page, tmp_path, monkeypatch, capsys, request):
    monkeypatch.chdir(tmp_path)
    if page.name == "clusters.md":
        request.getfixturevalue("clusters")
    if "import duckdb" in page.read_text(encoding="utf-8"):
        pytest.importorskip("duckdb")
    if "import torch" in page.read_text(encoding="utf-8"):
        pytest.importorskip("torch", reason="PyTorch is not installed")
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)
    assert "quenched_log_gain" in capsys.readouterr().out or page.name != "README.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_toml_blocks(page, tmp_path):
    for block in blocks(page, "toml"):
        file = tmp_path / "sweep.toml"
        file.write_text(block, encoding="utf-8")
        assert gs.Sweep.from_toml(file).cell_count > 0


def test_the_commands_of_the_first_run(tmp_path, monkeypatch, capsys):
    """Each exits with 0, in the order of the page; the sweep has fewer networks here."""
    from gradsim.cli import main

    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks(ROOT / "docs/guide/first-run.md", "sh") for line in block.splitlines()]
    assert len(lines) == 10
    for line in lines:
        program, *words = line.split()
        assert program == "gradsim"
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 0, (line, capsys.readouterr())
        if words[0] == "new":
            file = tmp_path / "sweep.toml"
            file.write_text(re.sub(r"(?m)^networks = \d+", "networks = 500", file.read_text("utf-8")), "utf-8")


def test_shipped_sweeps():
    for name in ("phase-tanh", "phase-sigmoid", "phase-relu"):
        assert gs.Sweep.from_toml(name).cell_count > 50


def test_commands_of_the_readme_exist():
    from gradsim.cli.commands import cli

    words = set(re.findall(r"gradsim (\w+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert words & set(cli.commands) == {
        "run", "boundary", "check", "coordcheck", "info", "lesson", "new", "recommend", "refine", "report", "submit",
        "status", "validate", "verify",
    }  # fmt: skip


def test_readme_lists_the_tables():
    from gradsim_core.activations import ACTIVATIONS
    from gradsim_core.laws import LAWS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(re.search(rf"\b{name}\b", text) for name in [*ACTIVATIONS, *LAWS])


def test_every_column_is_explained():
    """Each column of the stored tables has a row with its name and unit on the dataset's page."""
    from gradsim.dataset.codec import SCHEMAS

    sections = (ROOT / "docs/dataset.md").read_text(encoding="utf-8").split("## Columns of `data/")[1:]
    pages = {section.partition("`")[0]: section for section in sections}
    assert set(pages) == set(SCHEMAS)
    for kind, schema in SCHEMAS.items():
        rows = [line for line in pages[kind].splitlines() if line.startswith("| `")]
        for field in schema:
            unit = field.metadata[b"unit"].decode().replace(" * ", " · ").partition(" * 2^50")[0]
            (row,) = [row for row in rows if f"`{field.name}`" in row.split("|")[1]]
            assert unit in row or unit == "-" or unit.startswith("(natural log · 2^20)^2"), (field.name, unit)
