"""Writing of files that appear complete or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gradsim.system.filesystem import calls
from gradsim.system.filesystem.errors import storing

Check = Callable[[Path], None]
Data = bytes | memoryview

_ATTEMPTS = 100  # at writing a file, if other processes (`gc`) keep removing its temporary file
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def replace(tmp_dir: Path, path: Path, data: Data, check: Check | None = None) -> None:
    """Write a file durably and in one step, replacing an older one of the same name.

    Parameters
    ----------
    tmp_dir
        Existing directory for temporary files, on the same file system.
    path
        The file's final path, in an existing directory.
    data
        Its content.
    check
        Called with the path of the temporary file, written and closed, before the file appears under its final name.

    Raises
    ------
    StorageError
        If any step fails; an older file is then still intact. No step is tried again on the same file: after a failed
        fsync the content of the disk is unknown.
    """

    def rename(temporary: Path) -> bool:
        calls.rename(temporary, path)
        return True

    _store(tmp_dir, path, data, check, rename)


def write_new(tmp_dir: Path, path: Path, data: Data, check: Check | None = None) -> bool:
    """Write a file durably unless one of that name exists; of several writers at the same time one wins.

    Parameters are those of `replace`.

    Returns
    -------
    bool
        False if the file existed; it is then left unchanged.
    """
    return _store(tmp_dir, path, data, check, lambda temporary: _link_new(temporary, path))


def _store(tmp_dir: Path, path: Path, data: Data, check: Check | None, put: Callable[[Path], bool]) -> bool:
    for attempt in range(_ATTEMPTS):
        with storing(path):
            try:
                with _temporary(tmp_dir, path.name, data, check) as temporary:
                    won = put(temporary)
                    if won:
                        fsync_directory(path.parent)
                    return won
            except FileNotFoundError:  # another process removed the temporary file: write it again
                if attempt == _ATTEMPTS - 1 or not (exists(tmp_dir) and exists(path.parent)):
                    raise
    raise AssertionError


def _link_new(temporary: Path, path: Path) -> bool:
    try:
        calls.link(temporary, path)
    except OSError as error:
        if _is_linked(temporary, path):  # over NFS the link may exist although the call failed
            return True
        if isinstance(error, FileExistsError):
            return False
        if error.errno not in _NO_LINKS:
            raise
        if exists(path):
            return False
        calls.rename(temporary, path)  # a file system without hard links: the last of several writers wins
    return True


def _is_linked(first: Path, second: Path) -> bool:
    """Whether two names are of the same file. A count of links does not tell: a backup may link the file, too."""
    try:
        return os.path.samestat(calls.status(first), calls.status(second))
    except FileNotFoundError:
        return False


@contextmanager
def _temporary(tmp_dir: Path, name: str, data: Data, check: Check | None) -> Iterator[Path]:
    """Yield the path of a new, fsynced file with the content; remove the file on exit."""
    path = _unique(tmp_dir, name)
    try:
        _write_durably(path, os.O_EXCL, data)
        if check is not None:
            check(path)
        yield path
    finally:
        with suppress(OSError):  # gone if it was renamed; a leftover in tmp/ is harmless
            calls.unlink(path)


def _unique(tmp_dir: Path, name: str) -> Path:
    return tmp_dir / f"{name}.{os.getpid()}.{secrets.token_hex(8)}"


def set_aside(tmp_dir: Path, path: Path, damaged: Callable[[Path], bool]) -> None:
    """Remove a damaged file; an intact one that another process has put in its place meanwhile is put back."""
    aside = _unique(tmp_dir, path.name)
    with storing(path):
        try:
            calls.rename(path, aside)
        except FileNotFoundError:
            return
        if not damaged(aside):
            _link_new(aside, path)
        with suppress(OSError):
            calls.unlink(aside)


def append(path: Path, line: bytes) -> None:
    """Append a line to a file durably; lines of several writers do not mix.

    The line starts with a newline, so that it stays separate from a line that was cut off by a crash.
    """
    with storing(path):
        _write_durably(path, os.O_APPEND | calls.NOFOLLOW, b"\n" + line)


def _write_durably(path: Path, flags: int, data: Data) -> None:
    descriptor = calls.open_fd(path, os.O_WRONLY | os.O_CREAT | flags)
    try:
        view = memoryview(data)
        while view:
            written = calls.write(descriptor, view)
            if written <= 0:
                raise OSError(errno.EIO, "the operating system wrote nothing")
            view = view[written:]
        calls.fsync(descriptor)
    finally:
        calls.close(descriptor)


def make_durable(path: Path) -> None:
    """Fsync a file that another process may have written, and its directory."""
    with storing(path):
        _fsync(path)
        fsync_directory(path.parent)


def fsync_directory(path: Path) -> None:
    """Fsync a directory; does nothing on Windows, which neither supports nor needs it."""
    if os.name != "nt":
        _fsync(path)


def _fsync(path: Path) -> None:
    descriptor = calls.open_fd(path, os.O_RDONLY)
    try:
        calls.fsync(descriptor)
    finally:
        calls.close(descriptor)


def exists(path: Path) -> bool:
    """Whether a file, directory or link of this name exists."""
    with storing(path):
        try:
            calls.status(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True


def size(path: Path) -> int | None:
    """Return the size of a file in bytes; None if there is none."""
    with storing(path):
        try:
            return calls.status(path).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None


def remove(path: Path) -> None:
    """Remove a file if it exists."""
    with storing(path), suppress(FileNotFoundError):
        calls.unlink(path)
