"""Corruption: whatever byte, file or manifest is changed, `verify` finds it and no read uses it."""

from __future__ import annotations

import hashlib
import json
import os
import random
import resource
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
import pytest

import gradsim as gs
from gradsim.dataset import schema
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.sealed_json import seal
from gradsim.dataset.verification import Verification, verify
from gradsim.errors import CorruptDataError, GradsimError, OutputError, SchemaVersionError
from gradsim.simulation.plan import Plan
from tests.faults.amounts import quick_and_full
from tests.gradsim.small_dataset import SWEEP, full


@pytest.fixture(scope="module")
def tables(made: Dataset) -> dict[str, pd.DataFrame]:
    return read(made.path)


@pytest.fixture
def copy(made: Dataset, tmp_path: Path) -> Dataset:
    shutil.copytree(made.path, tmp_path / "copy")
    return Dataset.open(tmp_path / "copy")


def read(path: Path) -> dict[str, pd.DataFrame]:
    dataset = Dataset.open(path)
    return {
        "layers": dataset.read_layers(),
        "histograms": dataset.read_histograms(),
        "networks": dataset.read_networks(),
    }


def found(path: Path) -> Verification:
    return verify(Dataset.open(path))


def check_found(path: Path, used: bool = False) -> None:
    """The damage is found, and reads refuse it; `used` where no read needs what was damaged."""
    try:
        problems = found(path).problems
    except GradsimError:
        return  # not even the sweep can be read
    assert problems, "not found"
    if not used:
        with pytest.raises(CorruptDataError) as caught:
            read(path)
        assert caught.value.exit_code == 4


def files(dataset: Dataset) -> Iterator[Path]:
    for one in dataset.manifests():
        yield from (dataset.path / part.path for part in one.parts.values())


def test_a_sound_dataset_has_no_problems(made: Dataset, copy: Dataset) -> None:
    one = found(made.path)
    assert (one.problems, one.notes, one.missing) == ([], [], 0)
    assert one.files == 3 * made.plan.shard_count
    assert found(copy.path).digest == one.digest
    other = full(copy.path.parent / "other", SWEEP.replace(seed=2))
    assert found(other.path).digest == one.digest  # the values of these tests do not depend on the seed
    (other.path / "manifests/000000.json").unlink()
    assert found(other.path).digest != one.digest


@pytest.mark.parametrize("step", quick_and_full(97, 1))
def test_every_length_of_a_file(copy: Dataset, step: int) -> None:
    for path in list(files(copy))[:3]:
        data = path.read_bytes()
        for length in range(0, len(data), step):
            path.write_bytes(data[:length])
            check_found(copy.path)
        path.write_bytes(data)


@pytest.mark.parametrize("count", quick_and_full(150, 10_000))
def test_single_bits(copy: Dataset, count: int) -> None:
    rng, paths = random.Random(3), list(files(copy))
    for _ in range(count):
        path = rng.choice(paths)
        data = bytearray(path.read_bytes())
        bit = rng.randrange(8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        check_found(copy.path)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
    assert not found(copy.path).problems


@pytest.mark.parametrize("count", quick_and_full(150, 10_000))
def test_the_decoder_alone(made: Dataset, count: int) -> None:
    """Even without checksums of whole files, damaged pages are errors and nothing worse."""
    rng, before = random.Random(4), peak_memory()
    for path in list(files(made))[:3]:
        data, kind = path.read_bytes(), path.parent.name
        expected = {"layers": schema.LAYERS, "histograms": schema.HISTOGRAMS, "networks": schema.NETWORKS}[kind]
        for _ in range(count // 3):
            changed = bytearray(data)
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            with suppress(CorruptDataError, SchemaVersionError):
                schema.decode(bytes(changed), "file", expected)
    assert peak_memory() - before < 2**29


def peak_memory() -> int:
    """Bytes that this process has held at most; other tests may have come before in it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def swap(one: Path, other: Path) -> None:
    one.rename(one.with_suffix(".x"))
    other.rename(one)
    one.with_suffix(".x").rename(other)


def test_shards_that_are_swapped_renamed_doubled_or_foreign(made: Dataset, tmp_path: Path) -> None:
    layers, manifests = "data/layers/part-00000{}.parquet", "manifests/00000{}.json"
    other = full(tmp_path / "other", SWEEP.replace(networks=10))
    damages: list[tuple[Callable[[Path], object], bool]] = [
        (lambda p: swap(p / layers.format(0), p / layers.format(1)), False),
        (lambda p: swap(p / manifests.format(0), p / manifests.format(1)), False),
        (lambda p: (p / layers.format(0)).rename(p / "data/layers/part-999999.parquet"), False),
        (lambda p: (p / manifests.format(0)).rename(p / "manifests/999999.json"), False),
        (lambda p: shutil.copy(p / manifests.format(0), p / "manifests/000000-000001.json"), False),
        (lambda p: shutil.copy(p / layers.format(0), p / "data/layers/part-999999.parquet"), True),
        (lambda p: shutil.copy(p / layers.format(0), p / "data/layers/copy.parquet"), True),
        (lambda p: shutil.copy(p / layers.format(0), p / "data/copy.parquet"), True),
        (lambda p: shutil.copy(p / layers.format(0), p / "data/layers/.hidden.parquet"), True),
        (lambda p: (p / "cells.parquet").write_bytes(b"junk"), True),
        (lambda p: (p / "manifests/000000.json").write_bytes(b""), False),
        (lambda p: shutil.copytree(p / "data/layers", p / "data/layers/more"), True),
        (lambda p: shutil.copy(p / manifests.format(0), p / "manifests/copy.json"), True),
        (lambda p: shutil.copy(other.path / layers.format(0), p / layers.format(0)), False),
        (lambda p: shutil.copy(other.path / manifests.format(0), p / manifests.format(0)), False),
        (lambda p: [(p / layers.format(0)).unlink()], False),
        (lambda p: (p / "run.json").unlink(), True),
        (lambda p: (p / "cells.parquet").unlink(), True),
        (lambda p: (p / "cells.parquet").write_bytes((other.path / "cells.parquet").read_bytes()), True),
        (lambda p: (p / "sweep.toml").write_bytes((p / "sweep.toml").read_bytes() + b"# note\n"), True),
    ]
    for i, (damage, used) in enumerate(damages):
        path = tmp_path / str(i)
        shutil.copytree(made.path, path)
        damage(path)
        check_found(path, used)


def test_stale_manifests(made: Dataset, copy: Dataset) -> None:
    """A manifest of an earlier file of the same shard: other bytes, then other values."""
    path, manifest = copy.path / "data/layers/part-000000.parquet", copy.path / "manifests/000000.json"
    table = pa.parquet.read_table(path)
    pa.parquet.write_table(table, path, compression="none")
    check_found(copy.path)
    other = table.set_column(6, table.schema.field(6), pa.compute.add(table["total"], 1))
    path.write_bytes(schema.encode([other]))
    check_found(copy.path)
    values = json.loads(manifest.read_text())
    stale = {key: value for key, value in values.items() if key not in ("check", "schema_version")}
    data = path.read_bytes()
    stale["parts"]["layers"] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest.write_bytes(seal(stale))
    assert any("values are not those" in problem for problem in found(copy.path).problems)


def mutated(rng: random.Random, data: bytes) -> bytes:
    """One random change of text: bytes replaced, removed, doubled or swapped, numbers grown, nesting deepened."""
    place, length = rng.randrange(len(data)), rng.randrange(1, 40)
    cut = data[place : place + length]
    return data[:place] + rng.choice(
        [
            b"", cut * 2, cut[::-1], os.urandom(1) + data[place + 1 :], b"[" * 100_000, b"9" * 5000, b"-1", b"1e999",
            b"null", b'"', b"\x00", b"\xff", b"../", b"NaN", b"true", b'{"a":' * 50_000,
        ]
    ) + data[place + length :]  # fmt: skip


@pytest.mark.parametrize("count", quick_and_full(100, 2000))
def test_mutated_manifests_and_sweeps(copy: Dataset, tables, count: int) -> None:
    rng = random.Random(5)
    names = ["manifests/000001.json", "sweep.toml", "run.json", "failures.jsonl"]
    (copy.path / "failures.jsonl").write_text('{"shard": 1, "reason": "none"}\n')
    for _ in range(count):
        path = copy.path / rng.choice(names[:3])
        data = path.read_bytes()
        changed = mutated(rng, data)
        if changed == data:
            continue
        path.write_bytes(changed)
        with suppress(GradsimError):
            assert found(copy.path).problems, (path, changed)
        with suppress(CorruptDataError, SchemaVersionError, OutputError):
            for name, frame in read(copy.path).items():
                pd.testing.assert_frame_equal(frame, tables[name])
        path.write_bytes(data)
    assert not found(copy.path).problems


def test_rests_of_killed_runs_are_not_read(copy: Dataset, tables) -> None:
    (copy.path / "tmp/part-000009.parquet.1.abc").write_bytes(b"half")
    (copy.path / "data/layers/part-000077.parquet").write_bytes(b"no manifest")
    (copy.path / "manifests/notes.txt").write_bytes(b"")
    pd.testing.assert_frame_equal(Dataset.open(copy.path).read_layers(), tables["layers"])


def test_newer_layouts_are_refused_and_older_read(copy: Dataset, tables) -> None:
    manifest = copy.path / "manifests/000001.json"
    values = {key: value for key, value in json.loads(manifest.read_text()).items() if key != "check"}
    manifest.write_text(json.dumps(values | {"schema_version": 99}))
    with pytest.raises(SchemaVersionError, match="pip install --upgrade gradsim"):
        copy.read_layers()
    for part in values["parts"].values():
        del part["digest"]
    manifest.write_text(json.dumps(values | {"schema_version": 1}))
    pd.testing.assert_frame_equal(Dataset.open(copy.path).read_layers(), tables["layers"])
    assert not found(copy.path).problems
    newer = schema.LAYERS.empty_table().replace_schema_metadata({"schema_version": "99"})
    with pytest.raises(SchemaVersionError, match="newer gradsim"):
        schema.decode(schema.encode([newer]), "file", schema.LAYERS)
    older = schema.LAYERS.empty_table().replace_schema_metadata({"schema_version": "0"})
    assert schema.decode(schema.encode([older]), "file", schema.LAYERS).num_rows == 0


def test_a_run_sees_damaged_manifests_at_once(copy: Dataset) -> None:
    """Also one that is complete: nothing says that all is well which was not looked at."""
    (copy.path / "manifests/000002.json").write_bytes(b"")
    with pytest.raises(CorruptDataError, match=r"000002\.json"):
        gs.run(SWEEP, copy.path, progress="none")
    (copy.path / "manifests/000002.json").unlink()
    (copy.path / "manifests/000000-999999999999.json").write_bytes(b"")
    with pytest.raises(CorruptDataError):
        gs.run(SWEEP, copy.path, progress="none")


def test_tables_of_other_shards_in_the_place_of_one_to_come(copy: Dataset) -> None:
    (copy.path / "manifests/000003.json").unlink()
    assert not found(copy.path).problems
    shutil.copy(copy.path / "data/layers/part-000001.parquet", copy.path / "data/layers/part-000003.parquet")
    assert any("cells that are not of this shard" in problem for problem in found(copy.path).problems)


def test_cells_are_mended(copy: Dataset) -> None:
    """Damaged, missing, or written by another version: a run writes them anew where they are not as they should be."""
    cells = copy.path / "cells.parquet"
    table = pa.parquet.read_table(cells)
    pa.parquet.write_table(table, cells, compression="none")
    other = cells.read_bytes()
    Dataset.create(copy.path, Plan(SWEEP))
    assert cells.read_bytes() == other
    for damage in (lambda: cells.write_bytes(b"junk"), cells.unlink):
        damage()
        assert found(copy.path).problems
        Dataset.create(copy.path, Plan(SWEEP))
        assert not found(copy.path).problems
