"""Hostile datasets: paths and links made to lead outside."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from gradsim.dataset.dataset import Dataset
from gradsim.dataset.maintenance import gc
from gradsim.errors import CorruptDataError, GradsimError
from tests.faults.hostile import edit, refused
from tests.gradsim.small_dataset import full

PATHS = [
    "../../outside/secret.parquet",
    "data/layers/../../../../outside/secret.parquet",
    "/etc/passwd",
    "data/layers/part-000001.parquet\x00.parquet",
    "data/layers/part-000001.parquet\n",
    "data/layers/" + "x" * 5000,
    "data/layers/part-000000.parquet",
    "",
    ".",
    "C:\\windows\\system32",
]


@pytest.mark.parametrize("name", PATHS)
def test_paths_that_lead_elsewhere(path: Path, outside: Path, name: str) -> None:
    manifest = path / "manifests/000001.json"
    parts = json.loads(manifest.read_text())["parts"]
    edit(manifest, parts=parts | {"layers": parts["layers"] | {"path": name}})
    refused(path)


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")
@pytest.mark.parametrize("name", ["data/layers/part-000001.parquet", "manifests/000001.json", "sweep.toml", "run.json"])
@pytest.mark.parametrize("how", ["link", "pipe", "folder"])
def test_files_that_are_none(path: Path, outside: Path, name: str, how: str) -> None:
    target = path / name
    shutil.copy(target, path.parent / "copy")
    target.unlink()
    make = {"link": lambda: target.symlink_to(path.parent / "copy"), "pipe": lambda: os.mkfifo(target)}
    make.get(how, target.mkdir)()
    with pytest.raises(GradsimError) as caught:
        Dataset.open(path).read_layers()
    assert caught.value.exit_code in (4, 5)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
@pytest.mark.parametrize("name", ["data", "data/layers", "manifests", "tmp"])
def test_folders_that_are_links(path: Path, outside: Path, name: str) -> None:
    """Nothing is read, written or removed behind them."""
    shutil.rmtree(path / name)
    (path / name).symlink_to(outside)
    for use in (Dataset.open, lambda p: full(p), lambda p: gc(Dataset.open(p))):
        with pytest.raises(CorruptDataError, match="link"):
            use(path)


@pytest.mark.skipif(os.name == "nt", reason="needs links")
@pytest.mark.parametrize("name", ["sweep.toml", "run.json", "cells.parquet", "tmp", "data"])
def test_a_new_run_writes_through_no_link(tmp_path: Path, name: str) -> None:
    path, outside = tmp_path / "run", tmp_path / "outside"
    path.mkdir()
    outside.mkdir()
    (path / name).symlink_to(outside / "file" if "." in name else outside)
    with pytest.raises(GradsimError):
        full(path)
    assert list(outside.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_a_picture_is_drawn_through_no_link(tmp_path: Path) -> None:
    from gradsim.cli import main

    victim, sweep = tmp_path / "victim", tmp_path / "sweep.toml"
    victim.write_text("precious")
    sweep.write_text('activation = "tanh"\nsigma_w = [1, 2]\ndepth = 2\nwidth = 4\nnetworks = 10\nseed = 1\n')
    for _ in range(2):
        with pytest.raises(SystemExit) as stop:
            main(["run", str(sweep), "--out", str(tmp_path / "run"), "--progress", "none"])
        assert not stop.value.code
        (tmp_path / "run/phase.png").unlink()
        (tmp_path / "run/phase.png").symlink_to(victim)
    assert victim.read_text() == "precious"
