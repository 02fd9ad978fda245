"""The command `run`: what it prints, its options, and what becomes of a run that fails."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import pytest

import gradsim as gs
from gradsim.system.filesystem import calls


def test_run_shows_everything(call, sweep, tmp_path):
    code, out, _ = call("run", sweep, "--out", tmp_path / "run", "--progress", "none")
    assert code == 0
    assert "quenched_log_gain" in out
    assert "theory" in out
    assert f"Dataset: {tmp_path / 'run'}" in out
    assert (tmp_path / "run" / "phase.png").read_bytes().startswith(b"\x89PNG")
    code, again, _ = call("run", sweep, "--out", tmp_path / "run")
    assert code == 0
    assert "already holds the complete sweep" in again
    assert again.partition("\n\n")[2] == out.partition("\n\n")[2]
    assert out.startswith("2,400 networks in ")


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


def test_parts_of_a_run(call, sweep, tmp_path):
    out = tmp_path / "run"
    code, said, _ = call("run", sweep, "--out", out, "--shard", "2/2", "--progress", "none")
    shards = gs.open(out).dataset.plan.shard_count
    assert code == 0
    assert f"of {shards} shards of the run {(shards + 1) // 2} must still be computed" in said
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


def test_quiet(call, sweep, tmp_path):
    assert call("run", sweep, "--out", tmp_path / "run", "--quiet") == (0, "", "")
    assert (tmp_path / "run" / "sweep.toml").exists()
    code, _, err = call("run", sweep, "--out", tmp_path / "run", "--quiet", "--networks", "5")
    assert (code, "another sweep" in err) == (2, True)


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


def test_the_faster_method_is_not_mentioned_before_an_error(call, tmp_path):
    wide = tmp_path / "wide.toml"
    wide.write_text('activation = "tanh"\nsigma_w = 1.5\ndepth = 2\nwidth = 64\nnetworks = 50\nseed = 1\n')
    (tmp_path / "file").write_text("")
    for arguments in (
        ("--out", tmp_path / "file" / "run"),
        ("--out", tmp_path / "run", "--networks", 10**14),
    ):
        code, _, err = call("run", wide, "--progress", "none", *arguments)
        assert code == 2
        assert "Hint" not in err
    assert "--method conditional" in call("run", wide, "--dry-run", "--out", tmp_path / "run")[2]
    wide.write_text(wide.read_text().replace("tanh", "relu"))
    assert "--method radial" in call("run", wide, "--dry-run", "--out", tmp_path / "run")[2]


@pytest.mark.skipif(os.name == "nt", reason="needs a shell")
def test_a_sweep_from_a_pipe(call, sweep, tmp_path):
    """It has no name: the directory has to be given, and no command can name it again."""
    gradsim = f"{sys.executable} -m gradsim"
    done = subprocess.run(
        ["bash", "-c", f"{gradsim} run <(cat {sweep}); {gradsim} run - --dry-run --out {tmp_path / 'run'} < {sweep}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--out is missing; allowed: a directory. Add --out DIR" in done.stderr
    assert "2,400" in done.stdout
    code, _, err = call("submit", "slurm", "/dev/zero", "--array", "2", "--out", tmp_path)
    assert code == 2
    reading, writing = os.pipe()
    os.write(writing, sweep.read_bytes())
    os.close(writing)
    code, _, err = call("submit", "slurm", f"/dev/fd/{reading}", "--array", "2", "--out", tmp_path)
    os.close(reading)
    assert (code, "Save it in a file first" in err) == (2, True)


def test_a_picture_that_cannot_be_written_is_no_failure(call, sweep, tmp_path):
    call("run", sweep, "--out", tmp_path / "run", "--progress", "none", "--no-plot")
    (tmp_path / "run" / "phase.png").mkdir()
    code, out, err = call("run", sweep, "--out", tmp_path / "run")
    assert code == 0
    assert "No picture: " in err
    assert "quenched_log_gain" in out


def test_a_picture_that_cannot_be_drawn_is_no_failure(call, sweep, tmp_path, monkeypatch):
    def failing(*arguments):
        raise RuntimeError("latex could not be found")

    monkeypatch.setattr("gradsim.plots.phase_diagram", failing)
    code, out, err = call("run", sweep, "--out", tmp_path / "run", "--progress", "none")
    assert (code, "No picture: latex could not be found\n" in err) == (0, True)
    assert "quenched_log_gain" in out


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
