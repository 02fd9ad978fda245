"""System calls, each in a small function, so that tests can make any of them fail."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_BLOCK = 2**20  # bytes that are read at a time


def open_fd(path: Path, flags: int) -> int:
    """Open a file and return its descriptor; ``flags`` are those of `os.open`."""
    return os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0), 0o666)


def write(descriptor: int, data: memoryview) -> int:
    """Write at least some of the bytes; return how many were written."""
    return os.write(descriptor, data)


def fsync(descriptor: int) -> None:
    """Flush a file to the disk and wait for it."""
    os.fsync(descriptor)


def close(descriptor: int) -> None:
    """Close a file; some file systems report a full disk only here."""
    os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Rename a file or directory; an existing destination is replaced."""
    os.replace(source, target)


def link(source: Path, target: Path) -> None:
    """Create a hard link; fails if the destination exists."""
    os.link(source, target)


def unlink(path: Path) -> None:
    """Remove a file."""
    os.unlink(path)


def mkdir(path: Path) -> None:
    """Make a directory."""
    os.mkdir(path)


def status(path: Path) -> os.stat_result:
    """Return the status of a path without following a symbolic link."""
    return os.lstat(path)


def listdir(path: Path) -> list[str]:
    """Return the names in a directory, in no particular order."""
    return os.listdir(path)


class _Blocking(FileIO):
    """A file in which "nothing to read yet" is an error; Python's own gives less data, which looks like damage."""

    def readinto(self, buffer: WriteableBuffer) -> int:
        count: int | None = super().readinto(buffer)
        return _now(count)

    def read(self, size: int | None = -1) -> bytes:
        return self.readall() if size is None or size < 0 else _now(super().read(size))

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(_BLOCK), b""))


def _now(found: T | None) -> T:
    if found is None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return found


def open_read(path: Path, follow: bool = False) -> BufferedReader:
    """Open a regular file for reading; the caller closes it.

    A symbolic link is refused unless ``follow`` is true, and a pipe always: opening it would block.
    """
    flags = (0 if follow else NOFOLLOW) | getattr(os, "O_NONBLOCK", 0)
    file = _Blocking(open_fd(path, os.O_RDONLY | flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if os.name != "nt":
        os.set_blocking(file.fileno(), True)
    return BufferedReader(file)
