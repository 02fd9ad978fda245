"""Directories: made, listed, published, refused."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from gradsim.errors import OutputError
from gradsim.system.filesystem import calls
from gradsim.system.filesystem.errors import storing
from gradsim.system.filesystem.writing import fsync_directory


def names(path: Path) -> list[str]:
    """Return the sorted names in a directory; an empty list if the directory does not exist."""
    with storing(path):
        try:
            return sorted(calls.listdir(path))
        except (FileNotFoundError, NotADirectoryError):
            return []


def is_dir(path: Path) -> bool:
    """Whether there is a directory of its own; :class:`CorruptDataError` if a link is in its place.

    What is behind a link is not the dataset's.
    """
    with storing(path):
        try:
            mode = calls.status(path).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        if stat.S_ISLNK(mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return stat.S_ISDIR(mode)


def make_dirs(path: Path) -> None:
    """Make a directory and those above it, durably; one that exists is fine."""
    missing = [path, *path.parents]
    missing = missing[: next((i for i, folder in enumerate(missing) if folder.is_dir()), len(missing))]
    for folder in reversed(missing):
        with storing(folder):
            with suppress(FileExistsError):
                calls.mkdir(folder)
            fsync_directory(folder.parent)


def publish(folder: Path, path: Path) -> bool:
    """Give a directory its final name, in one step; False if another directory that is not empty has it."""
    with storing(path):
        try:
            calls.rename(folder, path)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
        fsync_directory(path.parent)
        return True


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
