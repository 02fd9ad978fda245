"""Where compiled kernels are kept."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gradsim_core.jit import cache_directory, source_hash


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """The user's cache directory, asked for afresh."""
    home = tmp_path / "cache"
    monkeypatch.setenv("GRADSIM_CACHE_DIR", str(home))
    cache_directory.cache_clear()
    yield home
    cache_directory.cache_clear()


def test_kernels_are_kept_by_the_hash_of_the_sources(directory):
    assert cache_directory() == directory / source_hash()


def test_a_cache_that_others_may_write_to_is_not_used(directory):
    directory.mkdir()
    directory.chmod(0o777)
    with pytest.warns(UserWarning, match=f"{directory}.*GRADSIM_CACHE_DIR"):
        assert not cache_directory().is_relative_to(directory)


def test_a_cache_that_cannot_be_made_is_not_used(directory):
    directory.write_text("a file")
    with pytest.warns(UserWarning, match="cannot be kept here"):
        assert cache_directory().is_dir()


@pytest.mark.verify
def test_cached_kernels_keep_their_own_functions(tmp_path):
    """Kernels of several activations and costs, each compiled in a process of its own, then loaded into one."""
    environment = os.environ | {"GRADSIM_CACHE_DIR": str(tmp_path)}
    kinds = ["tanh/quadratic", "relu/quadratic", "relu/softmax"]

    def run(*words):
        program = [sys.executable, "-m", "tests.core.training.kept_kernels", *words]
        return subprocess.check_output(program, env=environment, text=True)

    for words in kinds:
        assert run(words) == f"{words} True\n"
    assert run(*kinds) == "".join(f"{words} True\n" for words in kinds)
