"""The check for real GPUs (bench/gpu) on the stand-in for one: each part runs, and whatever differs is found."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gradsim_core import jit

pytestmark = pytest.mark.skipif(jit.disabled(), reason="nothing is compiled")
if not jit.disabled():
    from bench.gpu import __main__ as command
    from bench.gpu import bits, blocks, loading, processes, record, timing, tools, torch_peers
    from bench.gpu.cases import Case, Peer, Sizes, Timed
    from bench.gpu.lab import Device, Loaded
    from bench.gpu.markdown import markdown
    from bench.gpu.record import Bench, Clock, Part, Report, run_parts
    from bench.peers import Job
    from gradsim_core.cuda import driver
    from gradsim_core.cuda.interface import DeviceArray, GpuError
    from tests.core.cuda import fake_cuda
    from tests.core.cuda.stand_in import FACTS, StandIn
    from tests.core.cuda.test_kernels import assembler

    CONDITIONAL = Case("tanh", "gaussian", "float32", "conditional", 3, 8, 1.5, 0.3, 5, 24)
    EXPLICIT = Case("tanh", "gaussian", "float32", "explicit", 2, 29, 1.5, 0.3, 5, 6)
    SIZES = Sizes(
        bits=(CONDITIONAL, EXPLICIT),
        again=(CONDITIONAL,),
        block=16,
        timed=(Timed("conditional", Job(8, 3), 32), Timed("explicit", Job(29, 2), 8)),
        registers=(96,),
        thread_blocks=(64, 128),
        rounds=1,
        least=0.0,
        streams=(1, 2),
        peers=(Peer(Job(29, 2), (4, 8)),),
        sweeps={"conditional": 128},
    )


class StandInLab:
    """`bench.gpu.lab.Lab` on the interpreter."""

    in_processes, multiprocessors, device, torch_device = False, 2, "cpu", "cpu"

    def __init__(self, stream=None) -> None:
        self.facts, self._open = FACTS, stream or StandIn
        self.loaded: list[str] = []

    def stream(self, share=0.6):
        return self._open()

    def load(self, text):
        self.loaded.append(text)
        return Loaded(0.1, 80, 0, 0, {"128": 4})

    def clock(self, seconds):
        return None


class OneBit(StandIn if not jit.disabled() else object):
    """A GPU that changes the last bit of a number, in arrays of the size of the first block's quantities."""

    def read(self, array: DeviceArray) -> np.ndarray:
        found = super().read(array)
        if found.dtype == np.float64 and found.size == 2 * 4 * 3 * 16:
            found[103:104].view(np.int64)[0] ^= 1  # the eighth network of a group
        return found


def bench_of(lab=None, sizes=None, seconds=1000.0, path=None) -> Bench:
    return Bench(
        lab or StandInLab(), sizes or SIZES, Report(path), Clock(seconds), ThreadPoolExecutor(2)
    )  # fmt: skip


def test_bits_and_run_to_run() -> None:
    bench = bench_of()
    bits.bits(bench)
    bits.again(bench)
    rows = bench.report.parts["bits"]["cases"]
    assert [(row["networks"], row["in_blocks_that_differ"]) for row in rows] == [(24, 0), (6, 0)]
    (found,) = bench.report.parts["again"].values()
    assert len(found) == 7
    assert len(set(found.values())) == 1
    assert (bench.report.code, bench.report.problems) == (0, {})


def test_one_bit_that_differs_is_told_in_detail(tmp_path) -> None:
    """It makes the exit code 1, names quantity, network and layer, and is in the file."""
    bench = bench_of(StandInLab(OneBit), SIZES._replace(bits=(CONDITIONAL,)), path=tmp_path / "out" / "gpu.json")
    run_parts(bench, [Part("bits", 1, bits.bits)], lambda words: None)
    assert bench.report.code == 1
    told = json.loads((tmp_path / "out" / "gpu.json").read_text())["differences"]
    assert [each["differ"] for each in told] == [1]
    assert told[0].keys() >= {"case", "array", "quantity", "network", "layer", "gpu", "cpu"}
    gpu, cpu = (int(told[0][who].split()[-1], 16) for who in ("gpu", "cpu"))
    assert gpu ^ cpu == 1
    assert "DIFFERENT" in markdown(bench.report)


def test_a_sum_that_differs() -> None:
    """Of the same values, which are compared before."""
    case = CONDITIONAL._replace(networks=16)
    bench = bench_of()
    found, expected = bits.on_gpu(case, StandIn(), 5, 16), bits.on_cpu(case, 5, 16, bench.threads)
    assert bits.difference(case, 5, found, expected) is None
    found.sums.total[1, 2] += 1
    told = bits.difference(case, 5, found, expected)
    assert told is not None
    assert (told["array"], told["differ"], told["place"]) == ("total", 1, (1, 2))
    nan = [np.array([0x7FF8000000000001 + i, 0], np.uint64).view(np.float64) for i in range(2)]
    assert bits.same(*nan)


def test_loading_and_timing() -> None:
    """Kernels, the benchmark's own, variants, whole blocks; the network's sums are the same whatever the variant."""
    lab = StandInLab()
    bench = bench_of(lab)
    loading.loading(bench)
    timing.timing(bench)
    blocks.blocks(bench)
    report = bench.report
    assert (report.differences, report.problems) == ([], {})
    assert {"normals", "weights", "storing"} <= set(report.parts["loading"])
    assert any(".maxnreg 96" in text for text in lab.loaded)
    for timed in SIZES.timed:
        found = report.parts["timing"][str(timed)]["kernels"]
        assert {"fast", "finish", "sum", "count", "64 threads", "128 threads, at most 96 registers"} <= set(found)
        assert {f"{n} streams" for n in SIZES.streams} == set(report.parts["blocks"][str(timed)])
    assert "over the best peer" not in markdown(report)
    assert "| storing |" in markdown(report)


def test_kernels_are_compiled_by_processes(monkeypatch) -> None:
    """Each says in its last line what it found; one that fails is noted."""
    lab, bench = StandInLab(), bench_of()
    lab.in_processes, bench.lab = True, lab
    words = json.dumps({"kernels": {}, "cpu_seconds": 1.0, "difference": {"case": "this"}})

    def again(option, name):
        fails = (
            "import sys; sys.exit('nothing there')" if name == "normals" else f"print('a warning'); print({words!r})"
        )
        return [sys.executable, "-c", fails]

    monkeypatch.setattr(loading, "again", again)
    loading.loading(bench)
    tasks = set(loading.tasks(SIZES))
    assert set(bench.report.parts["loading"]) == tasks
    assert len(bench.report.differences) == len(tasks) - 1
    assert "nothing there" in bench.report.problems["loading normals"]


def test_own_kernels_add_up_random_numbers() -> None:
    """As many as networks have, with the variance that they should have."""
    from bench.gpu import own
    from bench.gpu.recorder import Recorder

    for timed, name, numbers in ((SIZES.timed[0], "normals", 2 * 8 * 3), (SIZES.timed[1], "weights", 32 * 32 * 2)):
        recorder = Recorder(StandIn())
        own.launch(name, recorder, timed)
        sums = recorder.read(recorder.arrays[-1]).astype(float)
        networks = timed.networks if name == "normals" else timed.networks * 16
        variance = (sums**2).sum() / networks / (timed.job.scale**2 * numbers * (1 if name == "normals" else 1 / 16))
        assert 0.4 < variance < 2.0


@pytest.mark.skipif(jit.disabled() or assembler() is None, reason="NVIDIA's assembler is not there")
def test_limits_of_registers_are_understood(tmp_path) -> None:
    lab = StandInLab()
    loading.warm(lab, SIZES, "-".join(SIZES.timed[0].case().kind()), ThreadPoolExecutor(1))
    text = next(each for each in lab.loaded if ".maxnreg 96" in each)
    (tmp_path / "kernel.ptx").write_text(text)
    command = [assembler(), "-v", "-arch", "sm_90", "kernel.ptx", "-o", "kernel.cubin"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stderr
    assert int(re.search(r"Used (\d+) registers", said)[1]) <= 96


def test_whole_sweeps_and_peers() -> None:
    pytest.importorskip("torch")
    bench = bench_of()
    blocks.engine(bench)
    torch_peers.torch_peers(bench)
    assert (bench.report.differences, bench.report.problems) == ([], {})
    assert len(set(bench.report.parts["engine"]["conditional"]["digests"])) == 1
    (rows,) = bench.report.parts["PyTorch"].values()
    assert all(row["chunk"] in (4, 8) for row in rows.values())
    assert "PyTorch bmm by hand" in markdown(bench.report)


def test_the_device_itself(monkeypatch, tmp_path) -> None:
    """The driver's module between, on a stand-in for its package."""
    for each in (driver.core, driver._kernel):
        each.cache_clear()
    fake_cuda.install(monkeypatch)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 1755\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    lab = Device()
    assert lab.clock(0.1) is None
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert lab.clock(0.1) == "1755"
    lab.in_processes = False
    bench = bench_of(lab, SIZES._replace(bits=(CONDITIONAL,), timed=()))
    loading.loading(bench)
    bits.bits(bench)
    for each in (driver.core, driver._kernel):
        each.cache_clear()
    assert (bench.report.code, bench.report.differences) == (0, [])
    (found,) = bench.report.parts["loading"].values()
    assert found["kernels"]["fast"]["registers"] == 80


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

    def missing():
        raise GpuError("missing", "The package cuda-core is needed")

    monkeypatch.setattr(command, "Device", missing)
    monkeypatch.setattr(sys, "argv", ["gpu", "--json", str(tmp_path / "gpu.json")])
    assert command.main() == 2
    assert "cuda-core is needed" in json.loads((tmp_path / "gpu.json").read_text())["problems"]["GPU"]
