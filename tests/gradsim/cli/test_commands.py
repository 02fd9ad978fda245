"""All commands but `run`: what they print and their exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pandas as pd
import pytest

import gradsim as gs

TABLES = ("cells", "layers", "summary", "boundary")


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


def test_boundaries_of_any_kind(call, sweep, tmp_path):
    call("run", sweep, "--out", tmp_path / "run", "--quiet")
    kinds = ("--kind", "moment(0.5)", "--kind", "decades(1)")
    rows = json.loads(call("boundary", tmp_path / "run", *kinds, "--format", "json")[1])
    assert {row["kind"] for row in rows} == {"moment(0.5)", "decades(1)"}
    code, _, err = call("boundary", tmp_path / "run", "--kind", "mode")
    assert (code, "moment(s) with 0 < s <= 2" in err) == (2, True)
    wide, narrow = (
        json.loads(call("summarize", tmp_path / "run", "--level", level, "--format", "json")[1])[0]
        for level in ("0.99", "0.5")
    )
    assert wide["std_low"] < narrow["std_low"] < narrow["std_high"] < wide["std_high"]


def test_export(call, sweep, tmp_path):
    call("run", sweep, "--out", tmp_path / "run", "--quiet")
    code, out, _ = call("export", tmp_path / "run", "--output", tmp_path / "tables", "--format", "parquet")
    assert code == 0
    assert {line.rpartition("/")[2] for line in out.split()} == {f"{name}.parquet" for name in TABLES}
    assert len(pd.read_parquet(tmp_path / "tables" / "summary.parquet")) == 8
    code, out, _ = call("export", tmp_path / "run", "--output", tmp_path / "sql", "--format", "sql")
    assert "view summary" in (tmp_path / "sql" / "views.sql").read_text()


def test_layers(call, sweep, tmp_path):
    call("run", sweep, "--out", tmp_path / "run", "--quiet")
    code, out, _ = call("layers", tmp_path / "run", "--format", "csv")
    frame = pd.read_csv(io.StringIO(out))
    run = gs.open(tmp_path / "run")
    expected = run.layers()
    assert (code, len(frame)) == (0, len(expected))
    pd.testing.assert_frame_equal(
        frame[list(expected)], expected, check_dtype=False, check_categorical=False, rtol=1e-14
    )
    assert frame.groupby("cell_id")["sigma_w"].first().tolist() == run.cells()["sigma_w"].tolist()
    chosen = ("--cell", 1, "--cell", 5, "--layer", 2, "--quantity", "log_gain")
    rows = json.loads(call("layers", tmp_path / "run", *chosen, "--format", "json")[1])
    assert [(row["cell_id"], row["layer"], row["quantity"]) for row in rows] == [(1, 2, "log_gain"), (5, 2, "log_gain")]
    assert "log_gain" in call("layers", tmp_path / "run", *chosen)[1]
    code, _, err = call("layers", tmp_path / "run", "--quantity", "log_gian")
    assert (code, "nearest is log_gain" in err) == (2, True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("run phase-t", "phase-tanh"), ("submit slurm phase-r", "phase-relu"), ("theory leaky", "leaky_relu"),
        ("lesson sp", "speeds"), ("lesson al", "all"), ("lesson all --lang z", "zh"),
        ("run x --method c", "conditional"), ("layers x --quantity log_q", "log_q"),
        ("warmup x --dtype float6", "float64"), ("run x --engine dask-", "dask-local:"),
        ("run x --progress l", "log"), ("summarize x --format j", "json"), ("summ", "summarize"),
    ],
)  # fmt: skip
def test_the_shell_completes(call, monkeypatch, line, expected):
    monkeypatch.setenv("_GRADSIM_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"gradsim {line}")
    monkeypatch.setenv("COMP_CWORD", str(len(line.split())))
    code, out, err = call()
    assert (code, err) == (0, "")
    assert f"plain,{expected}" in out.splitlines()
    assert sum(item.startswith("plain,") for item in out.splitlines()) == 1


def test_the_help_says_what_critical_means(call):
    for command in ("summarize", "boundary"):
        assert "critical" in call(command, "--help")[1]
    assert "half a decade" in call("summarize", "--help")[1].replace("\n ", "")


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
    _, out, _ = call("theory", "gelu", "--sigma-w", "1.42", "--sigma-b", "0.1", "--depth", "4")
    assert [line.split()[1] for line in out.splitlines() if line.endswith(("yes", "no"))] == [
        "stable",
        "unstable",
        "stable",
    ]
    _, out, _ = call("theory", "tanh", "--depth", "8", "--width", "256", "--format", "json")
    expected = gs.theory.typical_sigma_w("tanh", 8, 0.0, 256)
    assert json.loads(out)[0]["sigma_w_at_width"] == pytest.approx(expected, rel=1e-14)


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


def test_warmup(call, sweep):
    code, out, _ = call("warmup", sweep)
    assert code == 0
    assert "ready after" in out
    assert call("warmup", sweep, "--method", "exact")[0] == 2


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
    assert "\n1 problem in" in said
    code, said, _ = call("verify", tmp_path / "small", "--format", "json", "--progress", "none")
    assert (code, len(json.loads(said)[0]["problems"])) == (4, 1)
    (tmp_path / "run/tmp/rest").write_bytes(b"")
    assert call("gc", tmp_path / "run")[:2] == (0, "tmp/rest\n1 file removed.\n")
    assert "0 problems in" in call("verify", tmp_path / "run", "--progress", "none")[1]


def test_summarize_draws(call, sweep, tmp_path):
    """Standard output is the same table; a picture that cannot be written is no failure."""
    pytest.importorskip("matplotlib")
    call("run", sweep, "--out", tmp_path / "run", "--quiet")
    plain = call("summarize", tmp_path / "run", "--format", "csv")
    (tmp_path / "run" / "layers.png").mkdir()
    code, out, err = call("summarize", tmp_path / "run", "--format", "csv", "--plot")
    assert (code, out) == plain[:2]
    assert f"Picture: {tmp_path / 'run' / 'spread.png'}" in err
    assert "No picture: " in err
    assert (tmp_path / "run" / "spread.png").read_bytes().startswith(b"\x89PNG")
