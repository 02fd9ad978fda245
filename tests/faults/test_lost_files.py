"""Files, folders and disks that are lost: an error in words, never numbers that are not there; a resume mends it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

import gradsim as gs
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.maintenance import compact
from gradsim.dataset.verification import verify
from gradsim.errors import CorruptDataError, OutOfMemoryError, OutputError, StorageError
from gradsim.runs import Run
from gradsim.runs.status import run_status
from gradsim.simulation.plan import Plan
from gradsim.system import filesystem
from gradsim.system.filesystem import calls
from tests.gradsim.small_dataset import RUN, SWEEP, contents, full

QUESTIONS = [
    Run.layers,
    Run.summary,
    Run.boundary,
    Run.verify,
    lambda run: run.complete,
    repr,
    lambda run: run_status(run.dataset),
]


def test_a_process_that_changes_its_directory(path: Path, monkeypatch) -> None:
    monkeypatch.chdir(path.parent)
    relative = gs.open(path.name)
    before = relative.layers()
    monkeypatch.chdir("/")
    assert relative.layers().equals(before)
    assert relative.complete


@pytest.mark.skipif(os.name == "nt", reason="a directory that is in use cannot be removed there")
def test_a_process_whose_directory_is_gone(path: Path, monkeypatch) -> None:
    folder = path.parent / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(StorageError, match="gone"):
        Dataset.create("run", Plan(SWEEP))
    assert gs.open(path).complete


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_dataset_that_vanishes_is_an_error(path: Path, question) -> None:
    run = gs.open(path)
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(StorageError, match=r"vanished.*Bring it back") as caught:
        question(run)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_folder_of_manifests_that_vanishes(path: Path, made: Dataset, question) -> None:
    run = gs.open(path)
    shutil.rmtree(path / "manifests")
    for one in (run, gs.open(path)):
        with pytest.raises(CorruptDataError, match=r"manifests: the folder is missing.*run the sweep again"):
            question(one)
    assert contents(full(path).path) == contents(made.path)
    assert not verify(Dataset.open(path)).problems


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Run:
    return gs.run(gs.Sweep(**RUN), tmp_path_factory.mktemp("whole") / "run", progress="none")


@pytest.mark.parametrize("harm", [Path.unlink, truncated])
def test_tables_lost_under_their_manifests(whole: Run, tmp_path: Path, call, harm) -> None:
    """Status and a resume see it, `verify --repair` removes the manifests, and the next run makes the tables anew."""
    path, sweep = tmp_path / "run", tmp_path / "sweep.toml"
    shutil.copytree(whole.path, path)
    sweep.write_text(whole.sweep.to_toml())
    again = ("run", sweep, "--out", path, "--quiet", "--no-plot")
    for index, kind in ((0, "layers"), (2, "histograms")):
        harm(path / f"data/{kind}/part-{index:06d}.parquet")
    facts = run_status(Dataset.open(path))
    assert (facts["complete"], facts["shards_damaged"], facts["damaged"]) == (False, 2, "0,2")
    code, said, _ = call("status", path)
    assert "gradsim verify --repair" in said
    code, _, error = call(*again)
    assert code == 4
    assert "part-000000.parquet" in error
    assert "gradsim verify --repair" in error
    assert call("verify", path, "--progress", "none")[0] == 4
    code, said, _ = call("verify", path, "--progress", "none", "--repair")
    assert code == 4
    assert "2 manifests removed" in said
    assert call(*again)[0] == 0
    assert contents(path) == contents(whole.path)
    assert call("verify", path, "--progress", "none")[0] == 0


def test_repair_of_compacted_and_of_damaged_manifests(path: Path, made: Dataset, tmp_path: Path) -> None:
    """Tables of compacted shards go with their manifest: a run writes others, and readers would count both."""
    small = compact(Dataset.open(path), tmp_path / "small")
    (part,) = (small.path / "data/histograms").iterdir()
    part.write_bytes(b"PAR1")
    assert verify(small, repair=True).removed == [f"manifests/000000-{made.plan.shard_count - 1:06d}.json"]
    assert contents(full(small.path).path) == contents(made.path)
    assert not verify(Dataset.open(small.path)).problems
    (path / "manifests/000001.json").write_bytes(b"{}")
    assert verify(Dataset.open(path), repair=True).removed == ["manifests/000001.json"]
    assert contents(full(path).path) == contents(made.path)


def test_a_faulty_disk_is_no_reason_to_remove(path: Path, monkeypatch) -> None:
    open_read = calls.open_read

    def faulty(name: Path, follow: bool = False):
        if name.name == "part-000001.parquet":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return open_read(name, follow)

    monkeypatch.setattr(calls, "open_read", faulty)
    found = verify(Dataset.open(path), repair=True)
    assert (len(found.problems), found.removed) == (1, [])


def test_a_run_that_has_just_begun_is_no_problem(tmp_path: Path) -> None:
    dataset = Dataset.create(tmp_path / "run", Plan(SWEEP))
    for name in ("run.json", "cells.parquet"):
        (dataset.path / name).unlink()
        found = verify(dataset)
        assert found.problems == []
        assert any("just begun" in note for note in found.notes)


def test_a_backup_that_links_files(tmp_path: Path, monkeypatch) -> None:
    """A second name of the temporary file does not make it the winner."""
    (tmp_path / "tmp").mkdir()
    link, path = calls.link, tmp_path / "file"
    filesystem.write_new(tmp_path / "tmp", path, b"first")

    def backed_up(source: Path, target: Path) -> None:
        os.link(source, tmp_path / "backup")
        link(source, target)

    monkeypatch.setattr(calls, "link", backed_up)
    assert not filesystem.write_new(tmp_path / "tmp", path, b"second")
    assert path.read_bytes() == b"first"


@pytest.mark.parametrize("call_name", ["status", "mkdir", "listdir", "open_fd"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.EDQUOT, errno.ENOSPC, errno.ETIMEDOUT])
def test_storage_that_fails_at_the_start(tmp_path: Path, monkeypatch, call_name: str, code: int) -> None:
    def failing(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(calls, call_name, failing)
    with pytest.raises(StorageError) as caught:
        Dataset.create(tmp_path / "a" / "run", Plan(SWEEP))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENAMETOOLONG])
def test_a_directory_that_cannot_be_used(tmp_path: Path, monkeypatch, code: int) -> None:
    def failing(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(calls, "mkdir", failing)
    with pytest.raises(OutputError, match="Choose another one"):
        Dataset.create(tmp_path / "a" / "run", Plan(SWEEP))


@pytest.mark.skipif(os.name == "nt", reason="needs pipes that do not block")
def test_a_disk_that_says_try_again(path: Path, monkeypatch) -> None:
    """Less data than there is would look like damage, and the remedy would be to remove what is sound."""
    dataset, manifest = Dataset.open(path), (path / "manifests/000000.json").stat()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.write(writer, b'{"schema_version": 2')
    monkeypatch.setattr(os, "fstat", lambda descriptor: manifest)
    monkeypatch.setattr(os, "set_blocking", lambda descriptor, blocking: None)
    monkeypatch.setattr(calls, "open_fd", lambda name, flags: os.dup(reader))
    with pytest.raises(StorageError, match="is busy"):
        dataset.manifests()
    os.close(reader)
    os.close(writer)


def test_small_files_take_little_memory(tmp_path: Path, monkeypatch) -> None:
    """No more is asked for than there is."""
    (tmp_path / "file").write_bytes(b"abc")
    asked, open_read = [], calls.open_read

    class Counted:
        def __init__(self, file) -> None:
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            self.file.close()

        def fileno(self) -> int:
            return self.file.fileno()

        def read(self, size: int) -> bytes:
            asked.append(size)
            return self.file.read(size)

    monkeypatch.setattr(calls, "open_read", lambda path, follow: Counted(open_read(path, follow)))
    assert filesystem.read_bytes(tmp_path / "file", 2**40) == b"abc"
    assert filesystem.read_bytes(tmp_path / "file", 1) == b"ab"
    assert max(asked) <= 3


def test_memory_that_runs_out(tmp_path: Path, monkeypatch, call) -> None:
    def hungry(*_, **__):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr("gradsim.engines.local.compute_and_commit", hungry)
    with pytest.raises(OutOfMemoryError, match=r"memory ran out .*9 TiB.* needs about 0\.\d GiB.*fewer threads"):
        gs.run(gs.Sweep(**RUN), tmp_path / "run", progress="none")
    (tmp_path / "sweep.toml").write_text(gs.Sweep(**RUN).to_toml())
    code, _, error = call("run", tmp_path / "sweep.toml", "--out", tmp_path / "run", "--quiet")
    assert (code, "memory ran out" in error) == (2, True)
