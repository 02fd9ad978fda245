"""The first minutes: a sweep file to begin with, completion in real shells, how to cite."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import gradsim as gs
from gradsim_core.activations import ACTIVATIONS
from gradsim_core.laws import LAWS

ROOT = Path(__file__).parents[3]


def test_a_new_sweep_runs(call, tmp_path):
    file = tmp_path / "a b.toml"
    assert call("new", str(file))[0] == 0
    code, out, _ = call("run", str(file), "--networks", "20", "--out", str(tmp_path / "run"), "--no-plot")
    assert (code, "Boundary between" in out) == (0, True)
    assert call("run", str(file), "--dry-run")[0] == 0


def test_a_new_sweep_says_everything(call, tmp_path):
    """Every key, with the default of those that have one; every activation and law by name."""
    call("new", str(tmp_path / "x.toml"))
    text = (tmp_path / "x.toml").read_text()
    given = tomllib.loads(text)
    commented = tomllib.loads("\n".join(re.findall(r"^# (\w+ = .*)$", text, re.MULTILINE)))
    assert given.keys() | commented.keys() == gs.Sweep.model_fields.keys()
    assert not given.keys() & commented.keys()
    assert gs.Sweep(**given).content_hash == gs.Sweep(**given, **commented).content_hash
    words = set(re.findall(r"\w+", text))
    assert words >= ACTIVATIONS.keys() | LAWS.keys()


def test_a_file_that_is_there_stays(call, tmp_path):
    file = tmp_path / "x.toml"
    file.write_text("mine")
    code, _, err = call("new", str(file))
    assert (code, "the file is there already" in err, file.read_text()) == (2, True, "mine")
    code, _, err = call("new", str(tmp_path / "none" / "x.toml"))
    assert (code, "cannot be written: No such file or directory" in err) == (2, True)


def in_shell(words: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    """Run a shell in which `gradsim` is the one under test."""
    home = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), **env}
    return subprocess.run(words, env=home, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_completes_after_the_script(call, tmp_path):
    """The script, read by a real bash, calls gradsim for the words of the line."""
    code, script, _ = call("completion", "bash")
    assert code == 0
    asked = f"{script}\nCOMP_WORDS=(gradsim comp); COMP_CWORD=1; _gradsim_completion gradsim; echo ${{COMPREPLY[@]}}"
    gradsim = tmp_path / "gradsim"
    gradsim.write_text(f'#!/bin/sh\nexec {sys.executable} -m gradsim "$@"\n')
    gradsim.chmod(0o755)
    found = in_shell(["bash", "-c", asked], PATH=f"{tmp_path}:/usr/bin:/bin")
    assert found.stdout.split() == ["compact", "completion"], found.stderr


@pytest.mark.parametrize(
    ("shell", "words"), [("zsh", "compdef _gradsim_completion gradsim"), ("fish", "complete --no")]
)
def test_scripts_of_other_shells(call, shell, words):
    code, out, _ = call("completion", shell)
    assert (code, words in out) == (0, True)


def test_the_shell_is_that_of_the_user(call, monkeypatch):
    monkeypatch.setenv("SHELL", "/usr/bin/fish")
    assert call("completion")[1] == call("completion", "fish")[1]
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    code, _, err = call("completion")
    assert (code, "'tcsh' is not known. Name one: bash, zsh, fish." in err) == (2, True)


def test_citation(call):
    """The same title, author and version as in CITATION.cff."""
    code, out, _ = call("info", "--cite")
    assert code == 0
    file = (ROOT / "CITATION.cff").read_text()
    for name in ("title", "name", "version", "date-released"):
        (value,) = re.findall(rf'^\W*{name}: "?([^"\n]*)"?$', file, re.MULTILINE)
        assert (value[:4] if name == "date-released" else value) in out
