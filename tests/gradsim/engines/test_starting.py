"""What keeps processes from starting is said in one sentence, with exit code 2, before anything is written."""

from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import context, get_context
from pathlib import Path

import pytest

import gradsim as gs
from gradsim.engines.starting import reason
from gradsim.errors import EngineError, EngineStartError
from tests.gradsim.small_dataset import RUN

SPAWNED = partial(ProcessPoolExecutor, 2, get_context("spawn"))

SCRIPT = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import gradsim as gs

def main():
    gs.run(gs.Sweep(activation="linear", sigma_w=1.0, depth=2, width=4, networks=9, seed=1), "run", progress="none",
           engine=ENGINE)

CALL
"""
ENGINES = {
    "dask-local": '"dask-local:2"',
    "function": 'lambda: ProcessPoolExecutor(2, get_context("spawn"))',
    "executor": 'ProcessPoolExecutor(2, get_context("forkserver"))',
}


def ended(arguments: list[str], folder: Path, script: str | None = None) -> subprocess.CompletedProcess:
    # The packages are named, since the script is elsewhere; a fresh cache is not needed, as nothing is compiled.
    return subprocess.run([sys.executable, *arguments], cwd=folder, input=script, capture_output=True, text=True)


@pytest.fixture(autouse=True)
def importable(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("call", ["main()", "for _ in range(1):\n    main()", "try:\n    main()\nfinally:\n    pass"])
def test_a_script_without_a_guard(tmp_path: Path, engine: str, call: str) -> None:
    if engine == "dask-local":
        pytest.importorskip("distributed")
    (tmp_path / "script.py").write_text(SCRIPT.replace("ENGINE", ENGINES[engine]).replace("CALL", call))
    result = ended(["script.py"], tmp_path)
    assert 'if __name__ == "__main__"' in result.stderr.splitlines()[-1]
    assert result.stderr.count("Traceback") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_script_on_standard_input(tmp_path: Path, engine: str) -> None:
    if engine == "dask-local":
        pytest.importorskip("distributed")
    script = SCRIPT.replace("ENGINE", ENGINES[engine]).replace("CALL", 'if __name__ == "__main__":\n    main()')
    result = ended(["-"], tmp_path, script)
    assert "standard input" in result.stderr.splitlines()[-1]
    assert result.stderr.count("Traceback") == 1
    assert not (tmp_path / "run").exists()


def test_a_script_with_a_guard(tmp_path: Path) -> None:
    guarded = 'if __name__ == "__main__":\n    if True:\n        main()'
    (tmp_path / "script.py").write_text(SCRIPT.replace("ENGINE", ENGINES["function"]).replace("CALL", guarded))
    result = ended(["script.py"], tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert gs.open(tmp_path / "run").complete


@pytest.mark.parametrize("engine", ["dask-local:2", SPAWNED], ids=["dask-local", "function"])
def test_no_shared_memory(tmp_path: Path, monkeypatch, engine) -> None:
    """Also where making an executor raises, before gradsim sees it."""
    if isinstance(engine, str):
        pytest.importorskip("distributed")

    def refused(*arguments, **options) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(context.BaseContext, "Lock", refused)
    monkeypatch.setattr(context.BaseContext, "SimpleQueue", refused)
    with pytest.raises(EngineStartError, match=r"/dev/shm.*PermissionError.*engine=\"local\"") as caught:
        gs.run(gs.Sweep(**RUN), tmp_path / "run", engine=engine, progress="none")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


def test_no_loopback_interface(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("distributed")

    def unreachable(*arguments, **options) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    with pytest.raises(EngineStartError, match=r"127\.0\.0\.1.*unreachable.*ip link set lo up") as caught:
        gs.run(gs.Sweep(**RUN), tmp_path / "run", engine="dask-local:2", progress="none")
    assert caught.value.exit_code == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("cause", "kind", "code"), [(OSError(28, "No space left"), EngineStartError, 2), (TimeoutError(), EngineError, 75)]
)
def test_the_cause_at_the_bottom(tmp_path: Path, monkeypatch, cause: OSError, kind: type, code: int) -> None:
    """What Dask says is an error of an error of an error."""
    distributed = pytest.importorskip("distributed")

    def fails(*arguments, **options) -> None:
        try:
            try:
                raise cause
            except OSError as error:
                raise RuntimeError("Nanny failed to start.") from error
        except RuntimeError as error:
            raise RuntimeError("Cluster failed to start") from error

    monkeypatch.setattr(distributed, "LocalCluster", fails)
    with pytest.raises(EngineError, match=type(cause).__name__) as caught:
        gs.run(gs.Sweep(**RUN), tmp_path / "run", engine="dask-local:2", progress="none")
    assert (type(caught.value), caught.value.exit_code) == (kind, code)
    assert not (tmp_path / "run").exists()


def test_a_reason_is_one_line() -> None:
    assert reason(ValueError("a trace\nof lines\nthe last\n")) == "ValueError: the last"
    assert reason(KeyError()) == "KeyError"
