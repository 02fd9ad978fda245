"""What several files of fault tests use."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gradsim.dataset.dataset import Dataset
from tests.faults.engine_runs import run
from tests.gradsim.conftest import call  # noqa: F401 - a fixture
from tests.gradsim.small_dataset import full


@pytest.fixture(scope="session")
def distributed():
    return pytest.importorskip("distributed")


@pytest.fixture(scope="session")
def local_run(tmp_path_factory) -> Dataset:
    """The dataset of SWEEP as the local engine writes it."""
    return run(tmp_path_factory.mktemp("local") / "run", "local").dataset


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Dataset:
    """A whole dataset, which nobody changes."""
    return full(tmp_path_factory.mktemp("made") / "out")


@pytest.fixture
def path(made: Dataset, tmp_path: Path) -> Path:
    """A copy of it with room for neighbours."""
    shutil.copytree(made.path, tmp_path / "inside" / "run")
    return tmp_path / "inside" / "run"


@pytest.fixture
def outside(path: Path):
    """A dataset's neighbour that nothing may touch."""
    folder = path.parent.parent / "outside"
    folder.mkdir()
    (folder / "secret.parquet").write_bytes((path / "data/layers/part-000000.parquet").read_bytes())
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}
    yield folder
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()} == before
