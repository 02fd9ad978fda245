"""The command line: what it prints, its exit codes, and bad input refused before anything is written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

import gradsim as gs
from gradsim.system.filesystem import calls

SMALL = """
activation = "tanh"
sigma_w = [0.8, 1.2, 1.6, 2.0]
depth = [3, 6]
width = 8
networks = 300
seed = 5
shard_size = 400_000
"""


@pytest.fixture
def sweep(tmp_path):
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return file


def test_run_shows_everything(call, sweep, tmp_path):
    code, out, _ = call("run", sweep, "--out", tmp_path / "run", "--progress", "none")
    assert code == 0
    assert "quenched_log_gain" in out
    assert "theory" in out
    assert f"Dataset: {tmp_path / 'run'}" in out
    assert (tmp_path / "run" / "phase.png").read_bytes().startswith(b"\x89PNG")
    code, again, _ = call("run", sweep, "--out", tmp_path / "run")
    assert code == 0
    assert "already holds this sweep, complete" in again
    assert again.partition("\n\n")[2] == out.partition("\n\n")[2]
    assert out.startswith("2,400 networks in ")


def test_tables_for_programs(call, sweep, tmp_path):
    call("run", sweep, "--out", tmp_path / "run", "--progress", "none", "--no-plot")
    code, out, _ = call("summarize", tmp_path / "run", "--format", "json")
    assert code == 0
    rows = json.loads(out)
    assert len(rows) == 8
    summary = gs.open(tmp_path / "run").summary()
    assert [row["quenched_log_gain"] for row in rows] == pytest.approx(summary["quenched_log_gain"].tolist(), rel=1e-14)
    code, out, _ = call("boundary", tmp_path / "run", "--format", "csv")
    assert out.splitlines()[0].startswith("activation,law,sigma_b,width,depth,kind,sigma_w,ci_low,ci_high,theory")
    assert len(out.splitlines()) == 1 + 2 * 3
    code, out, _ = call("status", tmp_path / "run", "--format", "json")
    assert json.loads(out)[0]["complete"] is True
    code, out, _ = call("status", tmp_path / "run")
    assert "complete           yes" in out


def test_options_apply_before_the_hash(call, sweep, tmp_path):
    call(
        "run",
        sweep,
        "--out",
        tmp_path / "run",
        "--progress",
        "none",
        "--no-plot",
        "--networks",
        "20",
        "--dtype",
        "float64",
    )
    stored = gs.open(tmp_path / "run").sweep
    assert (stored.networks, stored.dtype) == (20, "float64")
    assert stored.content_hash == gs.Sweep.from_toml(sweep).replace(networks=20, dtype="float64").content_hash


def test_dry_run_writes_nothing(call, sweep, tmp_path):
    code, out, _ = call("run", sweep, "--out", tmp_path / "run", "--dry-run")
    assert code == 0
    assert {"cells", "shards", "networks", "normals", "time", "core-hours", "on disk", "files", "memory"} == {
        line[:10].strip() for line in out.splitlines()
    }
    assert not (tmp_path / "run").exists()
    call("run", sweep, "--out", tmp_path / "run", "--progress", "none", "--no-plot")
    _, out, _ = call("run", sweep, "--out", tmp_path / "run", "--dry-run")
    assert "done       2,400 networks already" in out


def test_theory(call):
    code, out, _ = call("theory", "tanh", "--depth", "4", "--depth", "64", "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert [row["sigma_w"] for row in rows] == pytest.approx([1.648, 1.166, 1.0], abs=1e-3)
    _, out, _ = call("theory", "relu", "--width", "16", "--sigma-w", "1.5", "--depth", "4", "--format", "json")
    assert [(row["depth"], row["at_sigma_w"], row["chi_1"]) for row in json.loads(out)] == [
        ("4", 1.5, pytest.approx(1.125)),
        ("inf", 1.5, pytest.approx(1.125)),
    ]


def test_info(call):
    code, out, _ = call("info")
    assert code == 0
    for name in ("gradsim", "numba", "numpy", "cpu", "threads", "kernel cache"):
        assert f"\n{name}" in "\n" + out


def test_version(call):
    assert call("--version") == (0, f"gradsim, version {gs.__version__}\n", "")


def test_help_imports_nothing_heavy():
    code = (
        "import sys, runpy; sys.argv = ['gradsim', '--help']\n"
        "try:\n    runpy.run_module('gradsim', run_name='__main__')\n"
        "except SystemExit as stop:\n    assert not stop.code\n"
        "assert not {'numba', 'pandas', 'numpy', 'scipy'} & set(sys.modules), 'heavy import'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "phase-tanh" in done.stdout


BAD_FILES = {
    "unknown key": ("activations = ['tanh']", "activation"),
    "unknown activation": (SMALL.replace("tanh", "tahn"), "tanh"),
    "sigma_w of 0": (SMALL.replace("0.8, 1.2", "0.0, 1.2"), "> 0"),
    "sigma_w NaN": (SMALL.replace("0.8, 1.2", "nan, 1.2"), "finite"),
    "depth 0": (SMALL.replace("[3, 6]", "0"), "depth"),
    "width 0": (SMALL.replace("width = 8", "width = 0"), "width"),
    "empty axis": (SMALL.replace("[3, 6]", "[]"), "depth"),
    "num 0": (SMALL.replace("[0.8, 1.2, 1.6, 2.0]", "{ start = 1, stop = 2, num = 0 }"), "num"),
    "networks 0": (SMALL.replace("300", "0"), "networks"),
    "seed too large": (SMALL.replace("seed = 5", "seed = 9223372036854775808"), "seed"),
    "malformed": ("activation = [", "TOML"),
    "too large": ("#" * (2**20 + 1), "1 MiB"),
    "work size": (SMALL.replace("width = 8", "width = 100000").replace("300", "1000000"), "--yes"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_sweep(call, tmp_path, name):
    text, words = BAD_FILES[name]
    file = tmp_path / "bad.toml"
    file.write_text(text)
    code, out, err = call("run", file, "--out", tmp_path / "run")
    assert code == 2
    assert out == ""
    assert words in err
    assert not (tmp_path / "run").exists()


def test_bad_places(call, sweep, tmp_path):
    call("run", sweep, "--out", tmp_path / "run", "--progress", "none", "--no-plot")
    before = sorted(tmp_path.rglob("*"))
    other = tmp_path / "file"
    other.write_text("a regular file")
    for arguments, words in [
        (("run", sweep, "--out", tmp_path / "run", "--networks", "301"), "another sweep"),
        (("run", sweep, "--out", other / "run"), "cannot be written"),
        (("run", sweep, "--out", tmp_path / "new", "--threads", "0"), "threads"),
        (("run", sweep, "--out", tmp_path / "new", "--device", "tpu"), "device"),
        (("run", sweep, "--out", tmp_path / "new", "--engine", "cloud"), "engine"),
        (("run", sweep, "--out", tmp_path / "new", "--method", "exact"), "method"),
        (("run", "phase-tan", "--out", tmp_path / "new"), "phase-tanh"),
        (("run", sweep, "--out", tmp_path / "new", "--engine", "cloud", "--dry-run"), "engine"),
        (("run", sweep, "--out", tmp_path / "run", "--networks", "301", "--dry-run"), "another sweep"),
        (("run", tmp_path / "none.toml", "--out", tmp_path / "new"), "no such"),
        (("status", tmp_path / "none"), "no gradsim dataset"),
        (("boundary", tmp_path / "run", "--level", "1.5"), "level"),
        (("theory", "tahn"), "tanh"),
        (("theory", "tanh", "--sigma-w", "-1"), "sigma_w"),
        (("run",), "SWEEP"),
        (("rum",), "rum"),
    ]:
        code, _, err = call(*arguments)
        assert code == 2, (arguments, err)
        assert words in err, (arguments, err)
        assert "Traceback" not in err
    other.unlink()
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("fault", [errno.ENOSPC, errno.EIO])
def test_full_disk(call, sweep, tmp_path, monkeypatch, fault):
    """The disk fills up in the middle of the run: exit 5, the first shards stay, the same command completes it."""
    write, count = calls.write, [0]

    def failing(descriptor, data):
        count[0] += 1
        if count[0] > 8:
            raise OSError(fault, os.strerror(fault))
        return write(descriptor, data)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(calls, "write", failing)
        code, _, err = call("run", sweep, "--out", out, "--progress", "none", "--no-plot")
    assert code == 5
    assert str(out) in err
    assert "again" in err
    assert len(gs.open(out).dataset.committed()) > 0
    assert call("run", sweep, "--out", out, "--progress", "none", "--no-plot")[0] == 0
    assert gs.open(out).complete


def test_networks_larger_than_memory(call, tmp_path):
    """Refused when they come up; what is committed by then stays."""
    wide = tmp_path / "wide.toml"
    wide.write_text(
        'activation = "tanh"\nsigma_w = 1.5\ndepth = 300\nwidth = [4, 524288]\nnetworks = 1\nseed = 1\nshard_size = 1\n'
    )
    code, out, _ = call("run", wide, "--out", tmp_path / "run", "--dry-run")
    assert code == 0
    assert "TB in one process" in out
    code, _, err = call("run", wide, "--out", tmp_path / "run", "--yes", "--progress", "none", "--no-plot")
    assert code == 2
    assert "fits in memory" in err
    assert gs.open(tmp_path / "run").dataset.committed()


@pytest.mark.skipif(os.name == "nt", reason="needs a limit on the size of files")
def test_full_disk_for_real(call, sweep, tmp_path):
    """A limit on the size of files, set for a real process: exit 5, and a resume completes the run."""
    limit = (
        "import resource, signal, sys; from gradsim.cli import main;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (3000, -1));"
        "main(['run', sys.argv[1], '--out', sys.argv[2], '--no-plot'])"
    )
    command = [sys.executable, "-c", limit, str(sweep), str(tmp_path / "run")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert "again" in done.stderr
    assert call("run", sweep, "--out", tmp_path / "run", "--no-plot")[0] == 0
    assert gs.open(tmp_path / "run").complete


def test_a_sweep_file_in_the_output_directory_is_no_dataset(call, tmp_path):
    """A user's own sweep.toml is neither read as a dataset nor overwritten."""
    own = tmp_path / "sweep.toml"
    own.write_text(SMALL)
    code, _, err = call("run", own, "--out", tmp_path, "--progress", "none", "--no-plot")
    assert code == 2
    assert "sweep.toml" in err
    assert own.read_text() == SMALL
    assert call("run", own, "--out", tmp_path / "run", "--progress", "none", "--no-plot")[0] == 0


def test_a_picture_that_cannot_be_written_is_no_failure(call, sweep, tmp_path):
    call("run", sweep, "--out", tmp_path / "run", "--progress", "none", "--no-plot")
    (tmp_path / "run" / "phase.png").mkdir()
    code, out, err = call("run", sweep, "--out", tmp_path / "run")
    assert code == 0
    assert "No picture: " in err
    assert "quenched_log_gain" in out


def test_warmup(call, sweep):
    code, out, _ = call("warmup", sweep)
    assert code == 0
    assert "kernels are ready" in out
    assert call("warmup", sweep, "--method", "exact")[0] == 2


def test_the_faster_method_is_mentioned_once(call, tmp_path):
    wide = tmp_path / "wide.toml"
    wide.write_text('activation = "tanh"\nsigma_w = 1.5\ndepth = 2\nwidth = 64\nnetworks = 50\nseed = 1\n')
    arguments = ("run", wide, "--progress", "none", "--no-plot")
    _, _, err = call(*arguments, "--out", tmp_path / "explicit")
    assert err.count("23 times faster") == 1
    assert "--method conditional" in err
    code, out, err = call(*arguments, "--out", tmp_path / "conditional", "--method", "conditional")
    assert code == 0
    assert "faster" not in err
    assert "50 networks" in out
    assert "faster" not in call(*arguments, "--out", tmp_path / "explicit")[2]


def test_a_log_for_programs(call, sweep, tmp_path):
    code, _, err = call("run", sweep, "--out", tmp_path / "run", "--log-format", "json", "--no-plot")
    events = [json.loads(line) for line in err.splitlines()]
    assert code == 0
    shards = gs.open(tmp_path / "run").dataset.plan.shard_count
    assert [one["event"] for one in events] == ["start", *["shard"] * shards, "done"]
    assert events[0]["shards"] == shards > 1
    assert all("time" in one for one in events)
    code, _, err = call("run", sweep, "--out", tmp_path / "run", "--log-format", "json", "--networks", "5")
    assert code == 2
    assert json.loads(err)["kind"] == "RunExistsError"


def test_quiet(call, sweep, tmp_path):
    assert call("run", sweep, "--out", tmp_path / "run", "--quiet") == (0, "", "")
    assert (tmp_path / "run" / "sweep.toml").exists()
    code, _, err = call("run", sweep, "--out", tmp_path / "run", "--quiet", "--networks", "5")
    assert (code, "another sweep" in err) == (2, True)


def test_parts_of_a_run(call, sweep, tmp_path):
    out = tmp_path / "run"
    code, said, _ = call("run", sweep, "--out", out, "--shard", "2/2", "--progress", "none")
    shards = gs.open(out).dataset.plan.shard_count
    assert code == 0
    assert f"{(shards + 1) // 2} of {shards} shards of the run are missing" in said
    _, said, _ = call("status", out, "--array", "2", "--format", "json")
    facts = json.loads(said)[0]
    assert (facts["missing"].split(","), facts["rerun_array"]) == ([str(i) for i in range(0, shards, 2)], "1")
    assert facts["complete"] is False
    code, said, _ = call("run", sweep, "--out", out, "--shard", "1/2", "--progress", "none")
    assert (code, "quenched_log_gain" in said) == (0, True)
    for bad in ("0/2", "3/2", "2", "a/b", "1/0", "auto", "-1/2", "1/2/3"):
        code, _, err = call("run", sweep, "--out", tmp_path / "new", "--shard", bad)
        assert (code, "shard" in err) == (2, True), bad
    assert not (tmp_path / "new").exists()


def test_verify_compact_and_gc(call, sweep, tmp_path):
    call("run", sweep, "--out", tmp_path / "run", "--quiet")
    code, said, _ = call("verify", tmp_path / "run", "--progress", "none")
    digest = said.splitlines()[-1]
    assert (code, digest.startswith("digest ")) == (0, True)
    code, said, _ = call("compact", tmp_path / "run", "--output", tmp_path / "small", "--progress", "none")
    assert (code, "2 files" in said) == (0, True)
    assert call("verify", tmp_path / "small", "--progress", "none")[1].splitlines()[-1] == digest
    part = next((tmp_path / "small/data/layers").iterdir())
    part.write_bytes(part.read_bytes()[:-1])
    code, said, _ = call("verify", tmp_path / "small", "--progress", "none")
    assert (code, str(part) in said) == (4, True)
    code, said, _ = call("verify", tmp_path / "small", "--format", "json", "--progress", "none")
    assert (code, len(json.loads(said)[0]["problems"])) == (4, 1)
    (tmp_path / "run/tmp/rest").write_bytes(b"")
    assert call("gc", tmp_path / "run")[:2] == (0, "tmp/rest\n1 files removed.\n")
