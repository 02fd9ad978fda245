"""A session of the check for real GPUs (bench/gpu): its time, its processes and its command line."""

from __future__ import annotations

import json
import sys
import threading

import pytest

from gradsim_core import jit

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")
if not jit.disabled():
    from bench.gpu import __main__ as command
    from bench.gpu import bits, loading, processes, record, tools
    from bench.gpu.record import Clock, Part, run_parts
    from gradsim_core.cuda.interface import GpuError
    from tests.core.cuda.gpu_lab import CONDITIONAL, SIZES, OneBit, StandInLab, bench_of
    from tests.core.cuda.stand_in import StandIn


def test_kernels_are_compiled_by_processes(monkeypatch) -> None:
    """Each says in its last line what it found; one that fails is noted."""
    lab, bench = StandInLab(), bench_of()
    lab.in_processes, bench.lab = True, lab
    words = json.dumps({"kernels": {}, "cpu_seconds": 1.0, "difference": {"case": "this"}})

    def again(option, name):
        told = f"print('a warning'); print({words!r}); print('bye')"
        fails = "import sys; sys.exit('nothing there')"
        return [sys.executable, "-c", fails if name == "normals" else told]

    monkeypatch.setattr(loading, "again", again)
    loading.loading(bench)
    tasks = set(loading.tasks(SIZES))
    assert set(bench.report.parts["loading"]) == tasks
    assert len(bench.report.differences) == len(tasks) - 1
    assert "nothing there" in bench.report.problems["loading normals"]


def test_time_is_shared_and_parts_are_cut_off(tmp_path) -> None:
    """What a part leaves goes to the next ones; one that fails, or comes too late, is noted, and the file is there."""
    seconds = [0.0]
    bench = bench_of(path=tmp_path / "gpu.json")
    bench.clock = Clock(100.0, lambda: seconds[0])
    given: dict[str, float] = {}

    def part(name, takes, fails=False):
        def run(bench):
            given[name] = bench.clock.left_of_part
            seconds[0] += takes
            bench.part(name)["cut"] = bench.cut(name)
            if fails:
                raise ValueError("no such thing")

        return Part(name, 25, run)

    parts = [part("quick", 1), part("fails", 33, fails=True), part("slow", 50), part("late", 20), part("never", 1)]
    parts[0] = parts[0]._replace(seconds=0.0001)
    run_parts(bench, parts, lambda words: None)
    assert given["fails"] == pytest.approx(99 / 4)
    assert given["slow"] == pytest.approx(66 / 3)
    assert given["late"] == pytest.approx(16 / 2)
    assert "never" not in given
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert "ValueError: no such thing" in found["problems"]["fails"]
    assert "not reached" in found["problems"]["never"]
    assert "cut off" in found["problems"]["slow"]
    assert found["parts"]["slow"] == {"cut": True}
    assert bench.report.code == record.INCOMPLETE


def test_cases_that_are_cut_off_keep_what_was_done() -> None:
    """Each case compares a block before it looks at the time."""
    bench = bench_of(seconds=0.0)
    row = bits.compare(bench, CONDITIONAL, StandIn())
    assert row["networks"] == 16
    bits.bits(bench)
    assert bench.report.parts["bits"]["cases"] == []
    assert bench.report.code == 2


def test_processes_end_or_are_ended() -> None:
    python = [sys.executable, "-c"]
    commands = {
        "good": [*python, "print('ERROR SUMMARY: 0 errors')"],
        "bad": [*python, "import sys; print('out'); sys.exit(9)"],
        "hangs": [*python, "import time; print('begun', flush=True); time.sleep(600)"],
        "waits": [*python, "print('never')"],
    }
    ended = processes.run_all(commands, 3.0, 1)
    assert [each.code for each in ended.values()] == [0, 9, None, None]
    assert ended["hangs"].output == "begun\n"
    assert ended["waits"].output == "not begun"
    assert tools.checked(ended["good"]) == {
        "code": 0, "seconds": ended["good"].seconds, "summary": ["ERROR SUMMARY: 0 errors"]
    }  # fmt: skip
    assert "out" in tools.checked(ended["bad"])["output"]


def test_tools(monkeypatch, tmp_path) -> None:
    """With programs that only say what they should run, and without any."""
    for name, words in (
        ("compute-sanitizer", "echo $@; echo ERROR SUMMARY: 0 errors"),
        ("ncu", "echo smsp__issue_active.avg.pct_of_peak_sustained_active % 71.25"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{words}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(tools, "find_program", lambda name: str(tmp_path / name))
    bench = bench_of()
    tools.tools(bench)
    found = bench.report.parts["tools"]
    assert all(found[name]["code"] == 0 for name in tools.CHECKS)
    assert found["ncu explicit"] == {"smsp__issue_active.avg.pct_of_peak_sustained_active": 71.25}
    assert bench.report.problems == {}
    monkeypatch.setattr(tools, "find_program", lambda name: None)
    tools.tools(bench)
    assert bench.report.parts["tools"]["ncu"] == "not there"


def test_the_command(monkeypatch, tmp_path, capsys) -> None:
    """A small session on the stand-in, with a GPU that errs, and without any."""
    monkeypatch.setattr(command, "SMALL", SIZES._replace(bits=(CONDITIONAL,)))
    for lab, code in ((StandInLab, 0), (lambda: StandInLab(OneBit), 1)):
        monkeypatch.setattr(command, "Device", lab)
        monkeypatch.setattr(sys, "argv", ["gpu", "--small", "--json", str(tmp_path / "gpu.json")])
        assert command.main() == code
    monkeypatch.setattr(command, "FULL", SIZES)
    monkeypatch.setattr(command, "Device", StandInLab)
    monkeypatch.setattr(sys, "argv", ["gpu", "--warm", "normals"])
    assert command.main() == 0
    assert "normals" in json.loads(capsys.readouterr().out.splitlines()[-1])["kernels"]
    monkeypatch.setattr(sys, "argv", ["gpu", "--probe", "conditional"])
    assert command.main() == 0

    watchdogs = [each for each in threading.enumerate() if isinstance(each, threading.Timer)]
    assert all(each.finished.is_set() for each in watchdogs)

    def missing():
        raise GpuError("missing", "The package cuda-core is needed")

    monkeypatch.setattr(command, "Device", missing)
    monkeypatch.setattr(sys, "argv", ["gpu", "--json", str(tmp_path / "gpu.json")])
    assert command.main() == 2
    assert "cuda-core is needed" in json.loads((tmp_path / "gpu.json").read_text())["problems"]["GPU"]
    (tmp_path / "gpu.json").unlink()
    monkeypatch.setattr(sys, "argv", ["gpu", "--warm", "normals", "--json", str(tmp_path / "gpu.json")])
    assert command.main() == 2
    assert not (tmp_path / "gpu.json").exists()
