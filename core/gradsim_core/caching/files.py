"""Files of the kernel cache: a checksum, then the content. A file appears whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path


def read_checked(path: Path) -> bytes | None:
    """The content of a file; None if it is missing, damaged or cannot be read."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    checksum, payload = content[:32], content[32:]
    return payload if hashlib.sha256(payload).digest() == checksum else None


def write_checked(path: Path, payload: bytes) -> None:
    """Write a file, in place of what is there; OSError if that is impossible."""
    number, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(hashlib.sha256(payload).digest() + payload)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
