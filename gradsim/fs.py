"""The file system: the only module that opens, fsyncs, renames, links and unlinks.

What is written appears complete or not at all: it is written under a temporary name, fsynced, then renamed
(`commit`) or linked without replacing (`write_new`), and the directory is fsynced. Each primitive is one
small function, so that tests can make any of them fail.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gradsim.errors import OutputError, StorageError


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0), 0o666)


def _write(descriptor: int, data: memoryview) -> int:
    return os.write(descriptor, data)


def _fsync(descriptor: int) -> None:
    os.fsync(descriptor)


def _close(descriptor: int) -> None:
    os.close(descriptor)


def _rename(source: Path, target: Path) -> None:
    os.replace(source, target)


def _link(source: Path, target: Path) -> None:
    os.link(source, target)


def _unlink(path: Path) -> None:
    os.unlink(path)


def _mkdir(path: Path) -> None:
    os.mkdir(path)


def _open_read(path: Path) -> BinaryIO:
    return open(path, "rb")  # the caller closes it


def _listdir(path: Path) -> list[str]:
    return os.listdir(path)


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(path, error) from error


def commit(tmp_dir: Path, path: Path, data: bytes) -> None:
    """Write a file that replaces an older one of the same name, durably and in one step.

    Parameters
    ----------
    tmp_dir
        Existing directory for temporary files, on the same file system.
    path
        The file's final place, in an existing directory.
    data
        Its content.

    Raises
    ------
    StorageError
        If any step fails; the older file, if there was one, is then still whole.
    """
    with _storing(path), _temporary(tmp_dir, path.name, data) as temporary:
        _rename(temporary, path)
        _fsync_directory(path.parent)


def write_new(tmp_dir: Path, path: Path, data: bytes) -> bool:
    """Write a file only if there is none of that name; of several writers at the same time one wins.

    Returns
    -------
    bool
        False if the file existed; it is then left as it was.

    Raises
    ------
    StorageError
        If any step fails.
    """
    with _storing(path), _temporary(tmp_dir, path.name, data) as temporary:
        try:
            _link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            if path.exists():
                return False
            _rename(temporary, path)  # a file system without hard links: the last of several writers wins
        _fsync_directory(path.parent)
        return True


_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


@contextmanager
def _temporary(tmp_dir: Path, name: str, data: bytes) -> Iterator[Path]:
    """Yield a new, fsynced file with the content; what is left of it afterwards is removed."""
    path = tmp_dir / f"{name}.{os.getpid()}.{secrets.token_hex(8)}"
    try:
        descriptor = _open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            view = memoryview(data)
            while view:
                view = view[_write(descriptor, view) :]
            _fsync(descriptor)
        finally:
            _close(descriptor)
        yield path
    finally:
        with suppress(OSError):  # gone where it was renamed; a rest in tmp/ does no harm
            _unlink(path)


def _fsync_directory(path: Path) -> None:
    if os.name == "nt":  # Windows cannot open a directory, and needs no such thing
        return
    descriptor = _open(path, os.O_RDONLY)
    try:
        _fsync(descriptor)
    finally:
        _close(descriptor)


def read_bytes(path: Path) -> bytes | None:
    """Return a file's content, or None if there is no such file."""
    with _storing(path):
        try:
            with _open_read(path) as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading in parts; a missing one is FileNotFoundError, other faults are StorageError."""
    try:
        with _open_read(path) as file:
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno is None:  # PyArrow's word for a damaged file
            raise
        raise StorageError(path, error) from error


def names(path: Path) -> list[str]:
    """Return the sorted names in a directory; none if there is no such directory."""
    with _storing(path):
        try:
            return sorted(_listdir(path))
        except (FileNotFoundError, NotADirectoryError):
            return []


def remove(path: Path) -> None:
    """Remove a file if it is there."""
    with _storing(path), suppress(FileNotFoundError):
        _unlink(path)


def make_dirs(path: Path) -> None:
    """Make a directory and those above it, durably; one that exists is fine."""
    missing = [path, *path.parents]
    missing = missing[: next((i for i, folder in enumerate(missing) if folder.is_dir()), len(missing))]
    for folder in reversed(missing):
        with _storing(folder):
            with suppress(FileExistsError):
                _mkdir(folder)
            _fsync_directory(folder.parent)


def check_writable(path: Path) -> None:
    """Refuse a directory that cannot be made or written, with :class:`OutputError`; nothing is written."""
    try:
        nearest = next(folder for folder in (path, *path.absolute().parents) if _exists(folder))
        reason = None if nearest.is_dir() else f"{nearest} is not a directory"
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    if reason is None and not os.access(nearest, os.W_OK | os.X_OK):
        reason = f"{nearest} is not writable"
    if reason:
        raise OutputError(f"{path}: the output directory cannot be written: {reason}. Choose another one.")


def _exists(path: Path) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
