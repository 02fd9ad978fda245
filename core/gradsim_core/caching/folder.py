"""The folder of compiled kernels. Its files are code, so nobody else may be able to write or replace any of them."""

from __future__ import annotations

import hashlib
import os
import stat
import warnings
from functools import cache
from pathlib import Path

_REMEDY = "Set GRADSIM_CACHE_DIR to a directory of your own, in a place that only you may write to"


@cache
def source_hash() -> str:
    """Hash of all sources of the core, which keys the cache, since Numba does not notice an edit in another file."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@cache
def cache_directory() -> Path | None:
    """Directory of compiled kernels: in $GRADSIM_CACHE_DIR if set, else in the user's cache directory.

    Returns None, with a warning, if there is none that only this user can write to. Kernels then stay in memory.
    """
    try:
        folder = _home() / source_hash()
        missing = [path for path in (folder, *folder.parents) if not path.exists()]
        for path in reversed(missing):
            path.mkdir(mode=0o700, exist_ok=True)
        _check_private(folder)
    except OSError as error:
        warn_once(str(error))
        return None
    return folder


@cache
def warn_once(reason: str) -> None:
    """Warn that compiled kernels are not kept."""
    warnings.warn(
        f"compiled kernels are not kept, and are compiled again by the next process: {reason}. {_REMEDY}.",
        stacklevel=3,
    )


def _home() -> Path:
    """The directory that the environment names, with links in it resolved once the places of the links are checked."""
    base = os.environ.get("GRADSIM_CACHE_DIR")
    try:
        home = Path(base) if base else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gradsim"
        home = home.absolute()
        resolved = home.resolve()
    except RuntimeError as error:  # no home directory, or links in a circle
        raise OSError(f"there is no place for them ({error})") from None
    if home != resolved:
        _check_parents(home)
    return resolved


def _check_private(folder: Path) -> None:
    """Raise OSError unless the folder and the one above it are this user's alone, and nobody can exchange them."""
    if os.name == "nt":
        return
    for path in (folder, folder.parent):
        status = path.lstat()
        others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or others:
            raise OSError(f"{path} must be a directory that you own and only you may write to (chmod 700)")
    if not os.access(folder, os.W_OK):
        raise OSError(f"{folder} cannot be written to")
    _check_parents(folder.parent)


def _check_parents(path: Path) -> None:
    """Raise OSError if others own a folder or a link above the path, or may rename what lies in such a folder."""
    if os.name == "nt":
        return
    for parent in path.parents:
        try:
            status = parent.lstat()
        except FileNotFoundError:
            continue  # it is made later, for this user alone
        fixed = stat.S_ISLNK(status.st_mode) or status.st_mode & stat.S_ISVTX or not _others_may_write(status)
        if status.st_uid not in (0, os.getuid()) or not fixed:
            raise OSError(f"{parent} is open to others, who could exchange {path}")


def _others_may_write(status: os.stat_result) -> bool:
    """Whether anyone but the owner may write; a group that has the user as its only member, as on many Linuxes, may."""
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not _is_own_group(status.st_gid)


def _is_own_group(number: int) -> bool:
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(number), pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return group.gr_gid == user.pw_gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}
