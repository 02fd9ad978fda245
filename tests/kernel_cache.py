"""Lasting caches for the compiled kernels of functions that stand in tests."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from gradsim_core.caching.folder import cache_directory


def kernel_cache(source: str | Path) -> Path:
    """Directory for the kernels of functions with this source, a text or a file, and of the core's sources."""
    text = source.read_text() if isinstance(source, Path) else source
    path = (cache_directory() or Path(tempfile.gettempdir())) / "tests" / hashlib.sha256(text.encode()).hexdigest()[:16]
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
