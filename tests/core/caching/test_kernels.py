"""Where compiled kernels are kept, and what happens to damaged ones."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from gradsim_core import jit
from gradsim_core.caching import folder, kernels
from gradsim_core.caching.folder import cache_directory, source_hash

WARNING = "compiled kernels are not kept.*GRADSIM_CACHE_DIR"


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """The user's cache directory, asked for afresh."""
    home = tmp_path / "cache"
    monkeypatch.setenv("GRADSIM_CACHE_DIR", str(home))
    for one in (cache_directory, folder.warn_once):
        one.cache_clear()
    yield home
    for one in (cache_directory, folder.warn_once):
        one.cache_clear()


def test_kernels_are_kept_by_the_hash_of_the_sources(directory):
    assert cache_directory() == directory / source_hash()


def refused():
    with pytest.warns(UserWarning, match=WARNING):
        assert cache_directory() is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # said once
        assert cache_directory() is None
        assert kernel() == 2.0
    return True


def kernel():
    """A tiny kernel, compiled or from the cache, and called."""
    return jit.compile_kernel(lambda x: x + 1.0)(1.0)


def compilations(monkeypatch):
    """How often a kernel is compiled here and now, in place of read."""
    saved = []
    monkeypatch.setattr(kernels.KernelCache, "save_overload", saving(saved))
    assert kernel() == 2.0
    return len(saved)


def saving(saved, save=kernels.KernelCache.save_overload):
    def save_overload(self, sig, data):
        saved.append(sig)
        save(self, sig, data)

    return save_overload


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777, 0o702])
def test_a_cache_that_others_may_write_to_is_not_used(directory, mode):
    directory.mkdir()
    directory.chmod(mode)
    assert refused()


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_folder_of_kernels_that_others_may_write_to_is_not_used(directory, mode):
    (directory / source_hash()).mkdir(parents=True)
    (directory / source_hash()).chmod(mode)
    assert refused()


def test_a_link_in_the_place_of_the_folder_of_kernels_is_not_used(directory, tmp_path):
    directory.mkdir(mode=0o700)
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (directory / source_hash()).symlink_to(tmp_path / "elsewhere")
    assert refused()


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_parent_that_others_may_write_to_is_refused(directory, tmp_path, monkeypatch, depth):
    """They could rename the folder and put another in its place."""
    home = tmp_path.joinpath("a", "b", "c")
    home.mkdir(mode=0o700, parents=True)
    list(home.parents)[depth].chmod(0o777)
    monkeypatch.setenv("GRADSIM_CACHE_DIR", str(home))
    assert refused()


def test_a_folder_of_another_user_is_not_used(directory, monkeypatch):
    directory.mkdir(mode=0o700)
    owner = directory.stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    assert refused()


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="only root may give a folder to another user")
def test_a_folder_below_that_of_another_user_is_not_used(directory, tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    os.chown(theirs, 12345, 12345)
    monkeypatch.setenv("GRADSIM_CACHE_DIR", str(theirs / "cache"))
    assert refused()


def test_a_link_in_a_place_that_others_may_write_to_is_refused(directory, tmp_path, monkeypatch):
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "link").symlink_to(tmp_path / "own")
    monkeypatch.setenv("GRADSIM_CACHE_DIR", str(tmp_path / "open" / "link"))
    assert refused()


def test_a_parent_like_tmp_is_allowed_and_so_is_a_link_of_ones_own(directory, tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    directory.mkdir(mode=0o700)
    (shared / "link").symlink_to(directory)
    monkeypatch.setenv("GRADSIM_CACHE_DIR", str(shared / "link"))
    assert cache_directory() == directory / source_hash()


def test_every_folder_is_made_for_the_user_alone(directory, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADSIM_CACHE_DIR", str(tmp_path / "x" / "y" / "z"))
    before = os.umask(0o002)
    try:
        assert kernel() == 2.0
    finally:
        os.umask(before)
    made = [tmp_path / "x", *(tmp_path / "x").rglob("*")]
    assert len(made) == 5
    assert {path.stat().st_mode & 0o777 for path in made if path.is_dir()} == {0o700}
    assert {path.stat().st_mode & 0o777 for path in made if path.is_file()} == {0o600}


def test_a_cache_that_cannot_be_made_is_not_used(directory):
    directory.write_text("a file")
    assert refused()


def test_without_a_home_directory_kernels_stay_in_memory(directory, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("GRADSIM_CACHE_DIR")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert refused()


def test_nothing_is_left_in_the_temporary_folder(directory, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    directory.write_text("a file")
    assert refused()
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_a_kernel_is_compiled_once(directory, monkeypatch):
    assert [compilations(monkeypatch) for _ in range(2)] == [1, 0]
    assert [path.suffix for path in cache_directory().iterdir()] == [".kernel"]


class Planted:
    def __reduce__(self):
        return os.mkdir, ("planted",)


DAMAGE = {
    "empty": lambda data: b"",
    "cut in the checksum": lambda data: data[:20],
    "cut": lambda data: data[: len(data) // 2],
    "one bit": lambda data: data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
    "zeros": lambda data: bytes(len(data)),
    "something else, with its checksum": lambda data: sealed(pickle.dumps("text")),
    "no pickle, with its checksum": lambda data: sealed(b"\x80\x05."),
    "a planted pickle": lambda data: pickle.dumps(Planted()),
}


def sealed(payload):
    import hashlib

    return hashlib.sha256(payload).digest() + payload


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_kernel_is_compiled_again_and_replaced(directory, monkeypatch, tmp_path, damage):
    monkeypatch.chdir(tmp_path)
    kernel()
    (file,) = cache_directory().iterdir()
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    assert [compilations(monkeypatch) for _ in range(2)] == [1, 0]
    assert not (tmp_path / "planted").exists()


def test_a_file_that_cannot_be_read_is_a_miss(directory, monkeypatch):
    kernel()
    (file,) = cache_directory().iterdir()
    file.unlink()
    file.mkdir()
    with pytest.warns(UserWarning, match=WARNING):
        assert compilations(monkeypatch) == 1
    assert list(cache_directory().iterdir()) == [file]


@pytest.mark.parametrize("place", ["os.replace", "os.fdopen", "tempfile.mkstemp"])
def test_on_a_full_disk_kernels_stay_in_memory_with_one_warning(directory, monkeypatch, place):
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(place, raising(full))
    with pytest.warns(UserWarning, match=f"{WARNING}") as caught:
        assert [kernel() for _ in range(3)] == [2.0] * 3
    assert len(caught) == 1
    assert "No space left" in str(caught[0].message)
    assert not list(cache_directory().iterdir())


def test_on_a_disk_too_full_for_a_folder_kernels_stay_in_memory(directory, monkeypatch):
    monkeypatch.setattr(Path, "mkdir", raising(OSError(122, "Disk quota exceeded")))
    with pytest.warns(UserWarning, match=f"{WARNING}"):
        assert kernel() == 2.0


def raising(error):
    def call(*arguments, **options):
        raise error

    return call


@pytest.mark.verify
@pytest.mark.parametrize("module", ["tests.core.training.kept_kernels", "tests.core.activations.kept_pairs"])
def test_cached_kernels_keep_their_own_functions(tmp_path, module):
    """Kernels of several functions, each compiled in a process of its own, then loaded into one."""
    environment = os.environ | {"GRADSIM_CACHE_DIR": str(tmp_path / "cache")}
    kinds = ["tanh/quadratic", "relu/quadratic", "relu/softmax"]

    def run(*words):
        return subprocess.check_output([sys.executable, "-m", module, *words], env=environment, text=True)

    for words in kinds:
        assert run(words) == f"{words} True\n"
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.kernel")}
    assert run(*kinds) == "".join(f"{words} True\n" for words in kinds)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.kernel")} == files
