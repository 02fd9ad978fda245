"""Files appear complete or not at all; every fault of the system is a StorageError with path and remedy."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from gradsim.errors import OutputError, StorageError
from gradsim.system import filesystem
from gradsim.system.filesystem import calls

PRIMITIVES = ("open_fd", "write", "fsync", "close", "rename")


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def fail(number: int):
    def primitive(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    return primitive


def test_commit_replaces_and_leaves_nothing_behind(tmp: Path) -> None:
    path = tmp.parent / "file"
    filesystem.replace(tmp, path, b"old")
    filesystem.replace(tmp, path, b"new" * 10**6)
    assert filesystem.read_bytes(path) == b"new" * 10**6
    assert filesystem.names(tmp) == []


def test_write_new_does_not_replace(tmp: Path) -> None:
    path = tmp.parent / "file"
    assert filesystem.write_new(tmp, path, b"first")
    assert not filesystem.write_new(tmp, path, b"second")
    assert filesystem.read_bytes(path) == b"first"
    assert filesystem.names(tmp) == []


def test_one_of_many_writers_wins(tmp: Path) -> None:
    path, won = tmp.parent / "file", []

    def write(i: int) -> None:
        if filesystem.write_new(tmp, path, b"%d" % i):
            won.append(i)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert filesystem.read_bytes(path) == b"%d" % won[0]


def test_without_hard_links(tmp: Path, monkeypatch) -> None:
    monkeypatch.setattr(calls, "link", fail(errno.EPERM))
    path = tmp.parent / "file"
    assert filesystem.write_new(tmp, path, b"first")
    assert not filesystem.write_new(tmp, path, b"second")
    assert filesystem.read_bytes(path) == b"first"


def test_short_writes_are_continued(tmp: Path, monkeypatch) -> None:
    monkeypatch.setattr(calls, "write", lambda descriptor, data: os.write(descriptor, data[:7]))
    filesystem.replace(tmp, tmp.parent / "file", bytes(range(100)))
    assert filesystem.read_bytes(tmp.parent / "file") == bytes(range(100))


@pytest.mark.parametrize("primitive", PRIMITIVES)
def test_faults_name_path_and_remedy_and_keep_the_old_file(tmp: Path, monkeypatch, primitive: str) -> None:
    path = tmp.parent / "file"
    filesystem.replace(tmp, path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(calls, primitive, fail(errno.ENOSPC))
        with pytest.raises(StorageError, match="Free some space") as caught:
            filesystem.replace(tmp, path, b"new")
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 5
    assert filesystem.read_bytes(path) == b"old"


def test_missing_is_an_answer(tmp: Path) -> None:
    assert filesystem.read_bytes(tmp / "none") is None
    assert filesystem.read_bytes(tmp / "none" / "deeper") is None
    assert filesystem.names(tmp / "none") == []
    filesystem.remove(tmp / "none")
    with pytest.raises(FileNotFoundError), filesystem.reading(tmp / "none"):
        pass
    with pytest.raises(StorageError):
        filesystem.read_bytes(tmp)


def test_make_dirs(tmp: Path) -> None:
    filesystem.make_dirs(tmp / "a" / "b" / "c")
    filesystem.make_dirs(tmp / "a" / "b" / "c")
    assert (tmp / "a" / "b" / "c").is_dir()
    (tmp / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        filesystem.make_dirs(tmp / "file" / "a")


def test_check_writable(tmp: Path, monkeypatch) -> None:
    (tmp / "file").write_bytes(b"")
    (tmp / "dangling").symlink_to(tmp / "nowhere")
    filesystem.check_writable(tmp)
    filesystem.check_writable(tmp / "a" / "b")
    for path in (tmp / "file", tmp / "file" / "a" / "b", tmp / "dangling"):
        with pytest.raises(OutputError, match="not a directory"):
            filesystem.check_writable(path)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(OutputError, match="not writable") as caught:
        filesystem.check_writable(tmp / "a")
    assert caught.value.exit_code == 2
    assert filesystem.names(tmp) == ["dangling", "file"]


def twice(read):
    return lambda file: (read(file), read(file))


READS = {
    "all": lambda file: file.read(),
    "some": lambda file: file.read(10),
    "into": lambda file: file.readinto(bytearray(10)),
    "none": lambda file: file.read(None),
}


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX pipes")
@pytest.mark.parametrize("there", [b"", b"abc"])
@pytest.mark.parametrize("how", READS)
def test_nothing_to_read_yet_is_an_error(monkeypatch, how: str, there: bytes) -> None:
    """As some network file systems answer: it is neither the end of a file nor a missing one."""
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.write(write_end, there)
    with calls.BufferedReader(calls._Blocking(read_end, "rb")) as file, pytest.raises(BlockingIOError):
        twice(READS[how])(file)
    os.close(write_end)


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    data = os.urandom(3 * calls._BLOCK + 5)
    (tmp_path / "file").write_bytes(data)
    for read in (lambda file: file.read(), lambda file: file.read(len(data) + 1), lambda file: file.read(None)):
        with calls.open_read(tmp_path / "file") as file:
            assert read(file) == data
