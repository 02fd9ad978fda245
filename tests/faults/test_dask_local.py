"""Dask on this computer: the same bytes, nothing left behind, and nobody else let in."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from gradsim import engines
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.verification import verify
from gradsim.engines import dask_local
from gradsim.errors import EngineError, SweepError
from tests.faults.engine_runs import command, run
from tests.faults.moments import wait_until, wait_until_gone
from tests.gradsim.small_dataset import contents

pytestmark = pytest.mark.filterwarnings("ignore")  # of Dask, while processes end


def test_processes_of_this_computer(distributed, local_run: Dataset, tmp_path: Path) -> None:
    """One run: the same bytes, only the loopback interface listens, and no process is left."""
    before = set(psutil.Process().children(recursive=True))
    with addresses() as seen:
        assert contents(run(tmp_path / "run", "dask-local:2").path) == contents(local_run.path)
    assert verify(Dataset.open(tmp_path / "run")).digest == verify(local_run).digest
    assert seen
    assert {ip for ip, _ in seen} <= {"127.0.0.1", "::1"}
    left = [p for p in psutil.Process().children(recursive=True) if p not in before]
    wait_until_gone([p for p in left if "resource_tracker" not in command(p)])


@contextmanager
def addresses() -> Iterator[set[tuple[str, int]]]:
    """The addresses at which this process and its children listen meanwhile."""
    seen: set[tuple[str, int]] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.2):
            seen.update(listening())

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        done.set()
        watcher.join()


def settled(look: Callable[[], set]) -> set:
    """What is seen ten times in a row: the system's table of connections may change while it is read."""
    seen = [look()]
    while len(seen) < 10:
        time.sleep(0.2)
        seen = [*seen, now] if (now := look()) == seen[-1] else [now]
    return seen[-1]


def listening() -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with suppress(psutil.Error):
            connections = process.net_connections("inet")
            found.update((c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN)
    return found


@pytest.fixture(scope="class")
def ports(distributed) -> Iterator[list[int]]:
    """Ports of a scheduler and one worker, which has replaced one that died."""
    before = listening()
    with engines.opened("dask-local:1", None):
        first = settled(lambda: listening() - before)
        (worker,) = (p for p in psutil.Process().children(recursive=True) if "spawn_main" in command(p))
        worker.kill()
        wait_until(lambda: len(second := listening() - before) == len(first) and second != first)
        second = settled(lambda: listening() - before)
        assert len(second) == len(first)
        yield sorted(port for _, port in second)


class TestOthers:
    """One cluster, and those who must not use it."""

    @pytest.mark.parametrize("user", [-1, 65534], ids=["same user", "nobody"])
    def test_whoever_has_no_certificate_is_not_let_in(self, distributed, ports: list[int], user: int) -> None:
        """A cluster without certificates beside it shows that the intruder knows its trade."""
        if user >= 0 and os.getuid():
            pytest.skip("only root can start a process of another user")
        options = {"processes": False, "host": "tcp://127.0.0.1", "dashboard_address": None}
        with distributed.LocalCluster(n_workers=1, threads_per_worker=1, **options) as cluster:
            unlocked = int(cluster.scheduler_address.rpartition(":")[2])
            script = str(Path(__file__).with_name("intruder.py"))
            arguments = [sys.executable, script, str(user), *map(str, (unlocked, *ports))]
            ended = subprocess.run(arguments, capture_output=True, text=True)
        *entered, tried = ended.stdout.splitlines() or [""]
        assert ended.returncode == 0, ended.stderr
        assert tried == f"tried: 4 as user {max(user, os.getuid())}"
        assert entered == [f"let in: {unlocked} Scheduler", f"ran code: {unlocked} {os.getuid()}"]

    def test_no_page_is_served(self, ports: list[int]) -> None:
        for port in ports:
            for page in ("health", "metrics", "json/counts.json", "info/main/workers.html"):
                with pytest.raises((OSError, urllib.error.HTTPError)):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=60)


@pytest.mark.parametrize("found", ["nothing", "open to others", "a link", "a file", "another user's"])
def test_modules_are_imported_from_no_directory_of_others(tmp_path: Path, monkeypatch, found: str) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = tmp_path / f"gradsim-dask-{os.getuid()}"
    if found == "another user's":
        monkeypatch.setattr(os, "getuid", lambda: 65533)
        place = tmp_path / "gradsim-dask-65533"
    if found == "a link":
        place.symlink_to(tmp_path)
    elif found == "a file":
        place.touch(mode=0o600)
    elif found != "nothing":
        place.mkdir(mode=0o777 if found == "open to others" else 0o700)
        place.chmod(0o777 if found == "open to others" else 0o700)
    used = Path(dask_local._directory())
    assert (used == place) == (found == "nothing")
    assert used.parent == tmp_path
    assert stat.S_IMODE(used.lstat().st_mode) == 0o700


def test_dask_uses_that_directory(distributed, monkeypatch, tmp_path: Path) -> None:
    """Dask's directories come first on the path of imports."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = set(sys.path)
    with engines.opened("dask-local:1", None):
        added = set(sys.path) - before
    assert added
    assert all(path.startswith(str(tmp_path / f"gradsim-dask-{os.getuid()}/")) for path in added)


def test_without_the_package_that_makes_certificates(distributed, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(SweepError, match=r"cryptography.*gradsim\[dask\]"):
        run(tmp_path / "run", "dask-local:1")
    assert not (tmp_path / "run").exists()


def test_a_scheduler_with_certificates(distributed, local_run: Dataset, tmp_path: Path) -> None:
    """Its address is dask+tls://, and Dask's configuration has the certificate."""
    import dask

    own, other = distributed.Security.temporary(), distributed.Security.temporary()
    options = {"processes": False, "security": own, "host": "tls://127.0.0.1", "dashboard_address": None}
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, **options) as cluster:
        engine = cluster.scheduler_address.replace("tls://", "dask+tls://")
        with dask.config.set(certificate(own)):
            assert contents(run(tmp_path / "run", engine).path) == contents(local_run.path)
            with pytest.raises(SweepError, match=r"dask\+tls"):
                run(tmp_path / "new", engine.replace("+tls", ""))
        with pytest.raises(SweepError, match=r"client\.cert"):
            run(tmp_path / "new", engine)
        missing = certificate(own) | {"distributed.comm.tls.ca-file": str(tmp_path / "none")}
        with dask.config.set(missing), pytest.raises(SweepError, match="No such file"):
            run(tmp_path / "new", engine)
        with dask.config.set(certificate(other)), pytest.raises(EngineError, match="refuses your certificate"):
            run(tmp_path / "new", engine)
    assert not (tmp_path / "new").exists()


def certificate(security) -> dict[str, object]:
    """Dask's configuration of a client."""
    tls = {"ca-file": security.tls_ca_file, "client.cert": security.tls_client_cert}
    tls["client.key"] = security.tls_client_key
    return {"distributed.comm.require-encryption": True} | {f"distributed.comm.tls.{k}": v for k, v in tls.items()}
