"""The file system: the only package that opens, fsyncs, renames, links and unlinks.

A file appears complete or not at all: it is written under a temporary name, fsynced, closed, read back, then linked
without replacing (`write_new`) or renamed (`replace`), and the directory is fsynced. Of several writers, the one whose
link succeeds wins; no lock, clock, process number or directory listing is involved.
"""

from gradsim.system.filesystem.errors import UNUSABLE
from gradsim.system.filesystem.folders import absolute, check_writable, is_dir, make_dirs, names, publish
from gradsim.system.filesystem.reading import read_bytes, reading, sha256
from gradsim.system.filesystem.writing import (
    Check,
    Data,
    append,
    exists,
    make_durable,
    remove,
    replace,
    set_aside,
    size,
    write_new,
)

__all__ = [
    "UNUSABLE", "Check", "Data", "absolute", "append", "check_writable", "exists", "is_dir", "make_dirs",
    "make_durable", "names", "publish", "read_bytes", "reading", "remove", "replace", "set_aside", "sha256", "size",
    "write_new",
]  # fmt: skip
