"""Signals at moments when Python's own steps are under way: inside an event's method, and at its very end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.moments import PATIENCE
from tests.faults.test_signals import HANGING, SWEEP, stopped

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")


def test_in_the_midst_of_the_event(tmp_path: Path) -> None:
    """The main thread holds the event's lock, for which the handler waits: the program ends all the same."""
    sweep = tmp_path / "sweep.toml"
    sweep.write_text(SWEEP.to_toml())
    script = HANGING.replace("while not stop.is_set()", "while stop._cond.acquire()")
    command = [sys.executable, "-c", script, "run", str(sweep), "--out", str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "runs\n"
    code, _, said = stopped(process, signal.SIGTERM)
    assert code == 75
    assert "stopped. Resume with" in said


ENDING = """
import os, sys
from gradsim.cli import main

class Ending:  # Python ends it last of all, after its atexit functions
    def __del__(self, read=os.read, write=os.write):
        write(1, b"ending\\n")
        read(0, 1)

sys.stays = Ending()
sys.argv[1:] = ["info"]
main()
"""


def test_as_python_ends(tmp_path: Path) -> None:
    """All is done by then, and the exit code says so."""
    process = subprocess.Popen(
        [sys.executable, "-c", ENDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.stdout.readline() != "ending\n":
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate("x", timeout=PATIENCE)
    assert (process.returncode, said) == (0, "")
