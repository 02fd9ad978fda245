"""Bad input: exit code 2, in words, before anything is written."""

from __future__ import annotations

import pytest

from tests.gradsim.cli.conftest import SMALL

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


def test_a_sweep_file_in_the_output_directory_is_no_dataset(call, tmp_path):
    """A user's own sweep.toml is neither read as a dataset nor overwritten."""
    own = tmp_path / "sweep.toml"
    own.write_text(SMALL)
    code, _, err = call("run", own, "--out", tmp_path, "--progress", "none", "--no-plot")
    assert code == 2
    assert "sweep.toml" in err
    assert own.read_text() == SMALL
    assert call("run", own, "--out", tmp_path / "run", "--progress", "none", "--no-plot")[0] == 0
