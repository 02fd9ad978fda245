"""Calls of the system, each a small function, so that tests can make any of them fail."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)


def open_fd(path: Path, flags: int) -> int:
    """Open a file by its flags."""
    return os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0), 0o666)


def write(descriptor: int, data: memoryview) -> int:
    """Write some of the bytes; return how many."""
    return os.write(descriptor, data)


def fsync(descriptor: int) -> None:
    """Wait until it is on the disk."""
    os.fsync(descriptor)


def close(descriptor: int) -> None:
    """Close a file; some file systems tell of a full disk only now."""
    os.close(descriptor)


def rename(source: Path, target: Path) -> None:
    """Give a file another name, in place of what has it."""
    os.replace(source, target)


def link(source: Path, target: Path) -> None:
    """Create a hard link; fails if the destination exists."""
    os.link(source, target)


def unlink(path: Path) -> None:
    """Remove a name."""
    os.unlink(path)


def mkdir(path: Path) -> None:
    """Make a directory."""
    os.mkdir(path)


def status(path: Path) -> os.stat_result:
    """Facts about what has this name; of a link, its own."""
    return os.lstat(path)


def listdir(path: Path) -> list[str]:
    """Names in a directory."""
    return os.listdir(path)


def open_read(path: Path, follow: bool = False) -> BufferedReader:
    """Open a regular file; not through a link unless asked to, nor a pipe, which would block. The caller closes it."""
    flags = (0 if follow else NOFOLLOW) | getattr(os, "O_NONBLOCK", 0)
    file = os.fdopen(open_fd(path, os.O_RDONLY | flags), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return file
