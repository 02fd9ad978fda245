"""A broken disk: any operation fails, once or for good. The error is typed, committed shards stay, a resume ends."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gradsim.dataset.dataset import Dataset
from gradsim.errors import GradsimError, OutputError, StorageError
from gradsim.simulation.plan import Plan
from gradsim.simulation.processors import warm_up
from gradsim.system import filesystem
from gradsim.system.filesystem import calls
from tests.faults.amounts import quick_and_full
from tests.faults.operations import CODES, breaking, count
from tests.faults.test_kill import THREE, check
from tests.gradsim.small_dataset import full


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Dataset:
    return full(tmp_path_factory.mktemp("clean") / "run", THREE)


def committed(path: Path) -> dict[str, bytes]:
    """Every file that a manifest names, and the manifests."""
    dataset = Dataset.open(path)
    names = [part.path for one in dataset.manifests() for part in one.parts.values()]
    return {name: (path / name).read_bytes() for name in [*names, *(span.manifest for span in dataset.spans())]}


@pytest.mark.parametrize("forever", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("codes", quick_and_full(CODES[:1], CODES))
def test_every_operation_fails(clean: Dataset, tmp_path: Path, monkeypatch, forever: bool, codes) -> None:
    monkeypatch.setattr(calls, "fsync", lambda descriptor: None)
    total, path, refused = count(lambda: full(tmp_path / "count", THREE)), tmp_path / "run", 0
    assert total > 100
    for code in codes:
        for number in range(total):
            with breaking(number, code, forever).active():
                try:
                    full(path, THREE)
                except GradsimError as error:
                    refused += 1
                    checked(error, path)
            before = committed(path) if (path / "sweep.toml").exists() else {}
            full(path, THREE)
            assert before.items() <= committed(path).items()
            check(path, clean)
            shutil.rmtree(path)
    assert refused > 0.8 * total * len(codes)  # what fails while rests are removed is no harm


def checked(error: GradsimError, path: Path) -> None:
    if not isinstance(error, OutputError):  # where not even the directory can be made, another one is wanted
        assert isinstance(error, StorageError)
        assert error.exit_code == 5
        assert error.remedy
    assert str(path) in str(error)


def test_short_writes_go_on(clean: Dataset, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(calls, "write", lambda descriptor, data: os.write(descriptor, data[:100]))
    check(full(tmp_path / "run", THREE).path, clean)


def test_a_system_that_writes_nothing_is_an_error(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(calls, "write", lambda descriptor, data: 0)
    with pytest.raises(StorageError, match="wrote nothing"):
        full(tmp_path / "run", THREE)


def test_what_reads_back_otherwise_is_an_error(clean: Dataset, tmp_path: Path, monkeypatch) -> None:
    """A disk that swallows a byte: the shard is not committed, and a resume writes the file anew."""
    write = calls.write

    def swallow(descriptor, data):
        changed = bytearray(data)
        changed[len(changed) // 2] ^= 1
        return write(descriptor, memoryview(changed) if bytes(data[:4]) == b"PAR1" else data)

    path = Dataset.create(tmp_path / "run", Plan(THREE)).path
    with monkeypatch.context() as patch:
        patch.setattr(calls, "write", swallow)
        with pytest.raises(StorageError, match="reads back otherwise"):
            full(path, THREE)
    assert Dataset.open(path).committed() == []
    check(full(path, THREE).path, clean)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_dev_full(clean: Dataset, tmp_path: Path, monkeypatch) -> None:
    """Files that are always full, by the system itself."""
    original, path = calls.open_fd, Dataset.create(tmp_path / "run", Plan(THREE)).path

    def full_file(name: Path, flags: int) -> int:
        return original(Path("/dev/full"), os.O_WRONLY) if flags & os.O_EXCL else original(name, flags)

    with monkeypatch.context() as patch:
        patch.setattr(calls, "open_fd", full_file)
        with pytest.raises(StorageError, match="Free some space"):
            full(path, THREE)
    check(full(path, THREE).path, clean)


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
@pytest.mark.parametrize("limit", [0, 20_000])
def test_a_limit_on_the_size_of_files(clean: Dataset, tmp_path: Path, limit: int) -> None:
    """The same in a process of its own, from the command to its exit code."""
    sweep = tmp_path / "sweep.toml"
    sweep.write_text(THREE.to_toml())
    warm_up(THREE)

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "gradsim", "run", str(sweep), "--out", str(tmp_path / "run"), "--no-plot"]
    done = subprocess.run(command, preexec_fn=limited, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if limit == 20_000 else 5), done.stderr
    assert limit == 20_000 or "ulimit -f" in done.stderr
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert Dataset.open(tmp_path / "run").missing() == []


def test_a_link_that_was_made_although_the_answer_was_lost(clean: Dataset, tmp_path: Path, monkeypatch) -> None:
    """As over NFS: the link is there, the answer an error, at times that the name exists."""
    link, answers = calls.link, [FileExistsError(errno.EEXIST, "exists"), OSError(errno.EIO, "I/O")]

    def lossy(source: Path, target: Path) -> None:
        link(source, target)
        answers.append(answers.pop(0))
        raise answers[-1]

    monkeypatch.setattr(calls, "link", lossy)
    check(full(tmp_path / "run", THREE).path, clean)
    assert filesystem.names(tmp_path / "run" / "tmp") == []


def test_temporary_files_may_be_cleaned_up_meanwhile(clean: Dataset, tmp_path: Path, monkeypatch) -> None:
    link, made = calls.link, []

    def cleaned(source: Path, target: Path) -> None:
        made.append(target)
        if made.count(target) == 1:
            source.unlink()
        link(source, target)

    monkeypatch.setattr(calls, "link", cleaned)
    check(full(tmp_path / "run", THREE).path, clean)
