"""Reading of regular files, with a limit on the number of bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from gradsim.system.filesystem import calls
from gradsim.system.filesystem.errors import storing


def read_bytes(path: Path, most: int | None = None, follow: bool = False) -> bytes | None:
    """Return a file's content, at most ``most + 1`` bytes of it; None if there is no such file."""
    with storing(path):
        try:
            with calls.open_read(path, follow) as file:
                if most is None:
                    return file.read()
                # No more than there is, or memory for the most that a file may have would be made for each small one.
                return file.read(min(os.fstat(file.fileno()).st_size, most + 1))
        except (FileNotFoundError, NotADirectoryError):
            return None


def sha256(path: Path, most: int) -> str | None:
    """Return the SHA-256 of a file in hex; None if there is no such file or it has more than ``most`` bytes."""
    content = read_bytes(path, most)
    return None if content is None or len(content) > most else hashlib.sha256(content).hexdigest()


@contextmanager
def reading(path: Path) -> Iterator[BufferedReader]:
    """Open a file for reading in parts; FileNotFoundError if it is missing, :class:`StorageError` for other faults."""
    try:
        with calls.open_read(path) as file:
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno is None:  # raised by PyArrow for a damaged file
            raise
        with storing(path):
            raise
