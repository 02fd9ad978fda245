"""Of processes that need the same kernel at once, one compiles it."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from gradsim_core.caching import turns
from gradsim_core.caching.folder import source_hash
from gradsim_core.caching.turns import Turn

pytestmark = pytest.mark.skipif(turns.fcntl is None, reason="files cannot be locked here")

COMPILE = """
import sys, time
from gradsim_core import jit
from gradsim_core.caching import kernels
saved, save = [], kernels.KernelCache.save_overload
def save_overload(self, sig, data):
    saved.append(sig)
    time.sleep(1.0)  # so that all processes need the kernel before it is there
    save(self, sig, data)
kernels.KernelCache.save_overload = save_overload
print("ready", flush=True)
sys.stdin.readline()
assert jit.compile_kernel(lambda x: x + 1.0)(1.0) == 2.0
print(len(saved))
"""


def start(cache):
    """A process that compiles a kernel once it is told to."""
    environment = os.environ | {"GRADSIM_CACHE_DIR": str(cache)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    made = subprocess.Popen([sys.executable, "-c", COMPILE], env=environment, **pipes)
    assert made.stdout.readline() == "ready\n"
    return made


def test_one_of_three_processes_compiles(tmp_path):
    processes = [start(tmp_path / "cache") for _ in range(3)]
    for each in processes:
        each.stdin.write("go\n")
        each.stdin.flush()
    counts = [int(each.communicate()[0]) for each in processes]
    assert sorted(counts) == [0, 0, 1]
    folder = tmp_path / "cache" / source_hash()
    assert [path.suffix for path in folder.iterdir()] == [".kernel"]


def test_the_turn_of_a_process_that_is_killed_ends(tmp_path):
    path = tmp_path / "a.kernel"
    held = f"from pathlib import Path; from gradsim_core.caching.turns import Turn; t = Turn(Path({str(path)!r}));"
    child = subprocess.Popen(
        [sys.executable, "-c", held + "print(1, flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout.readline() == "1\n"
    child.kill()
    child.wait()
    start_time = time.monotonic()
    Turn(path).end()
    assert time.monotonic() - start_time < 30.0
    child.stdin.close()
    child.stdout.close()


def test_nobody_waits_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(turns, "LONGEST", 0.2)
    first = Turn(tmp_path / "a.kernel")
    second = Turn(tmp_path / "a.kernel")
    second.end()
    first.end()
    assert list(tmp_path.iterdir()) == []


def test_where_files_cannot_be_locked_nobody_waits(tmp_path):
    Turn(tmp_path / "no folder" / "a.kernel").end()


def test_an_interrupt_does_not_close_a_file_twice(tmp_path, monkeypatch):
    turn, closed = Turn(tmp_path / "a.kernel"), []

    def interrupted(descriptor):
        closed.append(descriptor)
        raise KeyboardInterrupt

    held = turn._descriptor
    with monkeypatch.context() as patch:
        patch.setattr(turns.os, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            turn.end()
        del turn
    os.close(held)
    assert closed == [held]


def test_a_turn_ends_though_its_file_cannot_be_removed(tmp_path, monkeypatch):
    turn = Turn(tmp_path / "a.kernel")
    monkeypatch.setattr(turns.Path, "unlink", lambda *_, **__: os.stat(tmp_path / "missing"))
    turn.end()
    assert turn._descriptor is None
