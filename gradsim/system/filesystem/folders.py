"""Directories: create, list, check, and publish under the final name."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from gradsim.errors import OutputError, StorageError
from gradsim.system.filesystem import calls
from gradsim.system.filesystem.errors import UNUSABLE, storing
from gradsim.system.filesystem.writing import fsync_directory


def names(path: Path) -> list[str]:
    """Return the sorted names in a directory; an empty list if the directory does not exist."""
    with storing(path):
        try:
            return sorted(calls.listdir(path))
        except (FileNotFoundError, NotADirectoryError):
            return []


def absolute(path: Path) -> Path:
    """Return the path from the root; :class:`StorageError` if the process's own directory was removed."""
    with storing(path):
        return path.absolute()


def is_dir(path: Path) -> bool:
    """Whether the path is a directory.

    Raises
    ------
    CorruptDataError
        If it is a symbolic link, whose target does not belong to the dataset.
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
    """Create a directory and its parents durably; an existing directory is left as it is."""
    missing = [path, *path.parents]
    missing = missing[: next((i for i, folder in enumerate(missing) if folder.is_dir()), len(missing))]
    for folder in reversed(missing):
        with storing(folder):
            with suppress(FileExistsError):
                calls.mkdir(folder)
            fsync_directory(folder.parent)


def publish(folder: Path, path: Path) -> bool:
    """Rename a directory to its final name, in one step; False if a directory that is not empty exists there."""
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
    """Raise :class:`OutputError` if a directory cannot be created or written. Nothing is written.

    Raises
    ------
    StorageError
        If the storage is at fault, not the choice of the directory.
    """
    try:
        nearest = next(folder for folder in (path, *absolute(path).parents) if _exists(folder))
        reason = None if nearest.is_dir() else f"{nearest} is not a directory"
    except ValueError as error:
        reason = str(error)
    except OSError as error:
        if error.errno not in UNUSABLE:
            raise StorageError(path, error) from error
        reason = error.strerror or str(error)
    if reason is None and not os.access(nearest, os.W_OK | os.X_OK):
        reason = f"{nearest} is not writable"
    if reason:
        raise OutputError(f"{path}: the output directory cannot be written: {reason}. Choose another one.")


def _exists(path: Path) -> bool:
    try:
        calls.status(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
