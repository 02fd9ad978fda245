"""Hostile datasets: values, texts and tables made to run code or to exhaust the machine."""

from __future__ import annotations

import ast
import hashlib
import json
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gradsim
from gradsim.dataset import schema
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.manifest import Manifest, Span, triples
from gradsim.dataset.verification import verify
from gradsim.errors import CorruptDataError
from gradsim.simulation.plan import Plan
from tests.faults.hostile import edit, refused
from tests.gradsim.small_dataset import SWEEP, contents, full


@pytest.mark.parametrize(
    "changes",
    [
        {"shard": 10**400},
        {"shard": -1},
        {"shards": 10**18},
        {"slices": [[0, 0, 10**300]]},
        {"slices": [[0, 0, 2**63]] * 1000},
        {"slices": [[[[[]]]]]},
        {"seconds": 1e308 * 10},
        {"parts": []},
        {"parts": {"layers": None}},
        {"parts": {"secrets": {}}},
        {"sweep": "0" * 64},
        {"environment": {"a": {"b": 1}}},
    ],
    ids=str,
)
def test_values_that_no_manifest_has(path: Path, outside: Path, changes: dict) -> None:
    manifest = path / "manifests/000001.json"
    text = json.dumps({k: v for k, v in json.loads(manifest.read_text()).items() if k != "check"} | changes)
    manifest.write_text(text)
    refused(path)
    if "seconds" not in changes:
        edit(manifest, **changes)
        refused(path)


@pytest.mark.parametrize("text", [b"[" * 10**6, b'{"a":' * 10**5, b"9" * 10**5, b'{"schema_version": 1e999}', b"\x00"])
def test_text_that_breaks_parsers(path: Path, text: bytes) -> None:
    (path / "manifests/000001.json").write_bytes(text)
    refused(path)


@pytest.mark.parametrize("text", [b"a = " + b"[" * 10**5, b"a = " + b"9" * 10**5, b"a." * 10**4, b"\x00", b"x" * 2**21])
def test_sweeps_that_break_parsers(path: Path, text: bytes) -> None:
    (path / "sweep.toml").write_bytes(text)
    with pytest.raises(CorruptDataError):
        Dataset.open(path)


def test_huge_manifests_are_not_read_whole(path: Path) -> None:
    with (path / "manifests/000001.json").open("r+b") as file:
        file.truncate(2**36)  # a sparse file of 64 GB
    with pytest.raises(CorruptDataError, match="which no manifest is"):
        Dataset.open(path).read_layers()


class Extension(pa.ExtensionType):
    def __init__(self) -> None:
        super().__init__(pa.int32(), "tests.extension")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage, data):
        return cls()


def test_extension_types_are_refused_before_data_is_read(path: Path) -> None:
    part, manifest = path / "data/layers/part-000001.parquet", path / "manifests/000001.json"
    table = pq.read_table(part)
    kind = Extension()
    column = pa.ExtensionArray.from_storage(kind, table["layer"].combine_chunks())
    field = pa.field("layer", kind, False)
    hostile = table.set_column(1, field, column).replace_schema_metadata(table.schema.metadata)
    pq.write_table(hostile, part)
    for registered in (False, True):
        if registered:
            pa.register_extension_type(kind)
        with pytest.raises(CorruptDataError, match="columns that differ"):
            schema.decode(part.read_bytes(), "file", schema.LAYERS)
    pa.unregister_extension_type("tests.extension")
    parts = json.loads(manifest.read_text())["parts"]
    data = part.read_bytes()
    changed = parts["layers"] | {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit(manifest, parts=parts | {"layers": changed})
    refused(path, Dataset.read_layers)


def test_a_run_goes_on_beside_what_is_hostile(path: Path, made: Dataset) -> None:
    """Once the bad manifest is removed, as its message says, the shard is computed anew."""
    (path / "manifests/000001.json").write_bytes(b"[" * 1000)
    (path / "data/layers/part-000001.parquet").write_bytes(b"PAR1" + bytes(1000) + b"PAR1")
    with pytest.raises(CorruptDataError, match="Remove this manifest"):
        Dataset.open(path).read_layers()
    (path / "manifests/000001.json").unlink()
    assert contents(full(path).path) == contents(made.path)


def test_nothing_read_from_a_disk_is_run() -> None:
    """No pickle, eval, exec, marshal or YAML in the product."""
    for file in Path(gradsim.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            names |= {str(node.module)} if isinstance(node, ast.ImportFrom) else set()
            names |= {node.func.id} if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else set()
            assert not names & {"pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "eval", "exec"}, file


@pytest.mark.parametrize(
    "facts",
    [
        {"content_hash": 5},
        {"content_hash": "0" * 64},
        {"created": "yesterday"},
        {"sweep_toml": ["a"]},
        {"sweep_toml": "0" * 64},
        {"files": {"../../outside/secret.parquet": "0" * 64}},
    ],
    ids=str,
)
def test_facts_about_a_run_that_are_wrong(path: Path, outside: Path, facts: dict) -> None:
    edit(path / "run.json", **facts)
    try:
        problems = verify(Dataset.open(path)).problems
    except CorruptDataError:
        return
    assert problems or "files" in facts  # which nobody reads


@pytest.mark.parametrize(
    "changes", [{"finished": "yesterday"}, {"finished": "2026-01-01T00:00:00"}, {"seconds": 1e300}]
)
def test_times_that_are_none(path: Path, changes: dict) -> None:
    edit(path / "manifests/000001.json", **changes)
    refused(path)


def test_plans_that_no_machine_can_hold(path: Path) -> None:
    sweep = Dataset.open(path).sweep.replace(networks=2**48, shard_size=1)
    (path / "run.json").unlink()
    (path / "sweep.toml").write_text(sweep.stored_text())
    with pytest.raises(CorruptDataError, match="more than can be run"):
        Dataset.open(path)


def test_files_that_unpack_to_more_than_they_should(path: Path) -> None:
    """A table of millions of equal rows takes some kilobytes."""
    part, manifest = path / "data/histograms/part-000001.parquet", path / "manifests/000001.json"
    row = pq.read_table(part).slice(0, 1)
    bomb = pa.concat_tables([row] * 2**12)
    part.write_bytes(schema.encode([bomb] * 2**5, 2**20))
    data, parts = part.read_bytes(), json.loads(manifest.read_text())["parts"]
    honest = parts["histograms"] | {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    for rows in (honest["rows"], 2**20):
        edit(manifest, parts=parts | {"histograms": honest | {"rows": rows}})
        with pytest.raises(CorruptDataError, match="rows"):
            Dataset.open(path).read_histograms()


@pytest.mark.parametrize("activation", ["tanh", "sin", "relu"])
def test_more_bins_than_values_can_spread_over(path: Path, activation: str) -> None:
    """Rows are bounded by depth and bins, not by the networks alone: distinct bins take next to no bytes."""
    plan = Plan(SWEEP.replace(activation=activation, networks=10**8, shard_size=10**12, record="layers"))
    slices = plan.slices(0, 0)
    assert [part.count for part in slices] == [10**8] * 4
    stored = Manifest.decode((path / "manifests/000000.json").read_bytes(), "manifest")
    for rows, refusal in (
        (10**5, nullcontext()),
        (335 * 10**6, pytest.raises(CorruptDataError, match="more rows than its shard can have")),
    ):
        parts = {kind: stored.parts[kind].model_copy(update={"rows": 1}) for kind in ("layers", "histograms")}
        parts["histograms"] = parts["histograms"].model_copy(update={"rows": rows})
        changes = {"sweep": plan.sweep.content_hash, "slices": triples(slices), "parts": parts}
        with refusal:
            stored.model_copy(update=changes).check(plan, Span(0, 0), "manifest")


def test_phi_that_grows_faster_than_a_line_may_fill_any_bin() -> None:
    plan = Plan(SWEEP.replace(activation="relu2", networks=10**8, record="layers"))
    assert plan.most_bins(0, 10**8) == 10**8


def test_huge_row_groups_are_refused_unread(path: Path) -> None:
    """Memory is bounded by the row groups, which are read one after another."""
    part = path / "data/histograms/part-000001.parquet"
    row = pq.read_table(part).slice(0, 1)
    part.write_bytes(schema.encode([pa.concat_tables([row] * 2**10).take([0] * (2**20 + 1))], 2**21))
    with pytest.raises(CorruptDataError, match="number of rows"):
        schema.decode(part.read_bytes(), "file", schema.HISTOGRAMS)


def test_sparse_files_are_not_read_whole(path: Path, made: Dataset) -> None:
    (path / "manifests/000001.json").unlink()
    for name in ("data/layers/part-000001.parquet", "cells.parquet"):
        with (path / name).open("r+b") as file:
            file.truncate(2**36)
    assert verify(Dataset.open(path)).problems
    assert contents(full(path).path) == contents(made.path)
    assert not verify(Dataset.open(path)).problems
