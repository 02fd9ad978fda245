"""The file system: the only module that opens, fsyncs, renames, links and unlinks.

What is written appears complete or not at all: it is written under a temporary name, fsynced, closed, read back, then
linked without replacing (`write_new`) or renamed (`replace`), and the directory is fsynced. Nothing is decided by a
lock, a clock, a process number or a listing: the link is. Each primitive is one small function, so that tests can make
any of them fail.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

from gradsim.errors import CorruptDataError, OutputError, StorageError

Check = Callable[[Path], None]
Data = bytes | memoryview
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


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


def _link_count(path: Path) -> int:
    return os.lstat(path).st_nlink


def _open_read(path: Path, follow: bool = False) -> BufferedReader:
    """Open a regular file; not through a link unless asked to, nor a pipe, which would block."""
    flags = (0 if follow else _NOFOLLOW) | getattr(os, "O_NONBLOCK", 0)
    file = os.fdopen(_open(path, os.O_RDONLY | flags), "rb")  # the caller closes it
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return file


def _listdir(path: Path) -> list[str]:
    return os.listdir(path)


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise CorruptDataError(
                f"{path}: not a file or directory of its own, but a link or a device. gradsim follows none inside a "
                "dataset: put the real file there, or move the whole directory."
            ) from error
        raise StorageError(path, error) from error


def replace(tmp_dir: Path, path: Path, data: Data, check: Check | None = None) -> None:
    """Write a file that replaces an older one of the same name, durably and in one step.

    Parameters
    ----------
    tmp_dir
        Existing directory for temporary files, on the same file system.
    path
        The file's final place, in an existing directory.
    data
        Its content.
    check
        Called with the path of the temporary file, written and closed, before anybody else can see it.

    Raises
    ------
    StorageError
        If any step fails; the older file, if there was one, is then still whole. No step is tried again on the same
        file: after a failed fsync nobody knows what is on the disk.
    """
    with _storing(path), _temporary(tmp_dir, path.name, data, check) as temporary:
        _rename(temporary, path)
        _fsync_directory(path.parent)


def write_new(tmp_dir: Path, path: Path, data: Data, check: Check | None = None) -> bool:
    """Write a file only if there is none of that name; of several writers at the same time one wins.

    Parameters are those of `replace`.

    Returns
    -------
    bool
        False if the file existed; it is then left as it was.
    """
    for last in (False, False, True):
        with _storing(path):
            try:
                with _temporary(tmp_dir, path.name, data, check) as temporary:
                    won = _link_new(temporary, path)
                    if won:
                        _fsync_directory(path.parent)
                    return won
            except FileNotFoundError:  # somebody cleaned up the temporary file: it is written anew
                if last:
                    raise
    raise AssertionError


def _link_new(temporary: Path, path: Path) -> bool:
    try:
        _link(temporary, path)
    except OSError as error:
        # Over NFS the link may be there whatever the answer: it is ours, since nobody else knows the name.
        if _link_count(temporary) > 1:
            return True
        if isinstance(error, FileExistsError):
            return False
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        _rename(temporary, path)  # a file system without hard links: the last of several writers wins
    return True


_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


@contextmanager
def _temporary(tmp_dir: Path, name: str, data: Data, check: Check | None) -> Iterator[Path]:
    """Yield a new, fsynced file with the content; what is left of it afterwards is removed."""
    path = tmp_dir / f"{name}.{os.getpid()}.{secrets.token_hex(8)}"
    try:
        _write_durably(path, os.O_EXCL, data)
        if check is not None:
            check(path)
        yield path
    finally:
        with suppress(OSError):  # gone where it was renamed; a rest in tmp/ does no harm
            _unlink(path)


def append(path: Path, line: bytes) -> None:
    """Add a line to a file, durably; lines of several writers do not mix."""
    with _storing(path):
        _write_durably(path, os.O_APPEND | _NOFOLLOW, line)


def _write_durably(path: Path, flags: int, data: Data) -> None:
    descriptor = _open(path, os.O_WRONLY | os.O_CREAT | flags)
    try:
        view = memoryview(data)
        while view:
            written = _write(descriptor, view)
            if written <= 0:
                raise OSError(errno.EIO, "the system wrote nothing")
            view = view[written:]
        _fsync(descriptor)
    finally:
        _close(descriptor)


def make_durable(path: Path) -> None:
    """Fsync a file that another process may have written, and its directory."""
    with _storing(path):
        _fsync_path(path)
        _fsync_directory(path.parent)


def _fsync_directory(path: Path) -> None:
    if os.name != "nt":  # Windows cannot open a directory, and needs no such thing
        _fsync_path(path)


def _fsync_path(path: Path) -> None:
    descriptor = _open(path, os.O_RDONLY)
    try:
        _fsync(descriptor)
    finally:
        _close(descriptor)


def read_bytes(path: Path, most: int | None = None, follow: bool = False) -> bytes | None:
    """Return a file's content, or None if there is none; of a longer one than ``most`` only ``most + 1`` bytes."""
    with _storing(path):
        try:
            with _open_read(path, follow) as file:
                return file.read(-1 if most is None else most + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None


@contextmanager
def reading(path: Path) -> Iterator[BufferedReader]:
    """Open a file for reading in parts; a missing one is FileNotFoundError, other faults are StorageError."""
    try:
        with _open_read(path) as file:
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno is None:  # PyArrow's word for a damaged file
            raise
        with _storing(path):
            raise


def names(path: Path) -> list[str]:
    """Return the sorted names in a directory; none if there is no such directory."""
    with _storing(path):
        try:
            return sorted(_listdir(path))
        except (FileNotFoundError, NotADirectoryError):
            return []


def size(path: Path) -> int | None:
    """Return the bytes of a file, a link's own where it is one; None if there is none."""
    with _storing(path):
        try:
            return os.lstat(path).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None


def check_own(path: Path) -> None:
    """Refuse, with :class:`CorruptDataError`, a directory that is a link: what is behind it is not the dataset's."""
    with _storing(path):
        if path.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


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
