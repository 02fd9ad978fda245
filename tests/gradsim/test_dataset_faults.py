"""Datasets: exactly once whatever fails, and clear words for what is damaged."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from gradsim import fs, schema
from gradsim.dataset import Dataset
from gradsim.errors import (
    CorruptDataError,
    SchemaVersionError,
    StorageError,
)
from tests.gradsim.small_dataset import contents, full


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Dataset:
    return full(tmp_path_factory.mktemp("made") / "out")


@pytest.fixture
def copy(made: Dataset, tmp_path: Path) -> Dataset:
    shutil.copytree(made.path, tmp_path / "copy")
    return Dataset.open(tmp_path / "copy")


def test_rests_of_killed_runs_are_not_read(copy: Dataset) -> None:
    frame = copy.read_layers()
    (copy.path / "tmp/part-000009.parquet.1.abc").write_bytes(b"half")
    (copy.path / "data/layers/part-000077.parquet").write_bytes(b"no manifest")
    (copy.path / "manifests/notes.txt").write_bytes(b"")
    pd.testing.assert_frame_equal(Dataset.open(copy.path).read_layers(), frame)


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_damage_is_found(copy: Dataset) -> None:
    part, manifest = copy.path / "data/layers/part-000001.parquet", copy.path / "manifests/000001.json"
    good_part, good_manifest = part.read_bytes(), manifest.read_bytes()
    parts = json.loads(good_manifest)["parts"]
    outside = parts | {"layers": parts["layers"] | {"path": "data/layers/../../../secret.parquet"}}
    damages = [
        (part.unlink, "file is missing"),
        (lambda: part.write_bytes(good_part[:-5]), "bytes where the manifest says"),
        (lambda: part.write_bytes(good_part[:-1] + b"X"), "file is damaged"),
        (lambda: part.write_bytes(bytes(len(good_part))), "file is damaged"),
        (lambda: manifest.write_bytes(good_manifest[:50]), "manifest is damaged"),
        (lambda: manifest.write_bytes(b"\xff"), "manifest is damaged"),
        (lambda: manifest.write_bytes(b"[]"), "manifest is damaged"),
        (lambda: edit(manifest, parts=outside), "manifest is damaged"),
        (lambda: edit(manifest, parts={}), "names no layers"),
        (lambda: edit(manifest, sweep="0" * 64), "not of this sweep's shard"),
        (lambda: edit(manifest, slices=[[0, 0, 3]]), "not of this sweep's shard"),
        (lambda: (copy.path / "manifests/999999.json").write_bytes(good_manifest), "no shard 999999"),
    ]
    for damage, message in damages:
        damage()
        with pytest.raises(CorruptDataError, match=message) as caught:
            Dataset.open(copy.path).read_layers()
        assert caught.value.exit_code == 4
        part.write_bytes(good_part)
        manifest.write_bytes(good_manifest)
    (copy.path / "sweep.toml").write_text("depth = [")
    with pytest.raises(CorruptDataError, match="sweep cannot be read"):
        Dataset.open(copy.path)


def test_newer_layouts_are_refused_with_the_remedy(copy: Dataset) -> None:
    edit(copy.path / "manifests/000001.json", schema_version=2)
    with pytest.raises(SchemaVersionError, match="pip install --upgrade gradsim"):
        copy.read_layers()
    newer = pa.table({"x": [1]}).replace_schema_metadata({"schema_version": "2"})
    with pytest.raises(SchemaVersionError, match="newer gradsim"):
        schema.decode(schema.encode(newer), "file")
    older = schema.LAYERS.empty_table().replace_schema_metadata({"schema_version": "0"})
    assert schema.decode(schema.encode(older), "file").num_rows == 0


PRIMITIVES = ("_open", "_write", "_fsync", "_close", "_rename", "_link", "_mkdir")


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_any_call_may_fail_and_a_resume_completes(made: Dataset, tmp_path: Path, monkeypatch, primitive: str) -> None:
    original, path = getattr(fs, primitive), tmp_path / "out"
    calls, fail_at = 0, 0
    failures: list[StorageError] = []

    def faulty(*arguments):
        nonlocal calls
        calls += 1
        if calls == fail_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(*arguments)

    monkeypatch.setattr(fs, primitive, faulty)
    while True:  # each round fails one call later than the one before it
        calls, fail_at = 0, len(failures) + 1
        try:
            full(path)
            break
        except StorageError as error:
            failures.append(error)
    assert failures
    assert all(error.exit_code == 5 and "Free some space" in str(error) for error in failures)
    assert contents(path) == contents(made.path)
    pd.testing.assert_frame_equal(Dataset.open(path).read_layers(), made.read_layers())
    assert fs.names(path / "tmp") == []


def test_read_faults_are_storage_errors(copy: Dataset, monkeypatch) -> None:
    def broken(path: Path):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fs, "_open_read", broken)
    with pytest.raises(StorageError, match="input/output error"):
        copy.read_layers()
