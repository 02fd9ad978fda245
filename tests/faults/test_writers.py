"""Several processes at once: shared, doubled, stopped and killed work, and every network counted exactly once."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gradsim as gs
from gradsim.dataset import schema
from gradsim.dataset.dataset import Dataset
from gradsim.dataset.verification import verify
from gradsim.errors import DeterminismError
from tests.faults.amounts import quick_and_full
from tests.gradsim.small_dataset import RUN, commit, contents, full

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs fork and POSIX signals")


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> str:
    """The digest of a run by one process."""
    run = gs.run(gs.Sweep(**RUN), tmp_path_factory.mktemp("clean") / "run", threads=1, progress="none")
    assert run.dataset.plan.shard_count == 14
    digest = run.verify().digest
    assert digest
    return digest


# A process that has imported everything and compiled nothing yet: its children start in milliseconds.
NURSERY = f"""
import os, signal, sys
import gradsim as gs
from gradsim.simulation.processors import warm_up
import gradsim.runs, gradsim.engines.dask
sweep = gs.Sweep(**{RUN!r})
warm_up(sweep)
print("ready", flush=True)
for line in sys.stdin:
    path, shard = line.split()
    if path == "wait":
        print(os.waitstatus_to_exitcode(os.waitpid(int(shard), 0)[1]), flush=True)
        continue
    if not (child := os.fork()):
        try:
            gs.run(sweep, path, threads=1, shard=shard, progress="none")
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    print(child, flush=True)
"""


class Nursery:
    """Starts runs as processes, and says how they ended."""

    def __enter__(self) -> Nursery:
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error: object) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def start(self, path: Path, shard: str = "1/1") -> int:
        """Start a run; the number of its process, which stays its own until its code is asked for."""
        return self._ask(f"{path} {shard}")

    def code(self, child: int) -> int:
        """The exit code of a run; negative where a signal ended it."""
        return self._ask(f"wait {child}")

    def seconds(self, path: Path) -> float:
        """How long a whole run takes on this machine, busy as it is."""
        begin = time.monotonic()
        assert self.code(self.start(path)) == 0
        return time.monotonic() - begin

    def _ask(self, line: str) -> int:
        self.process.stdin.write(line + "\n")
        return int(self.process.stdout.readline())


@pytest.mark.parametrize("kills", quick_and_full(25, 1000))
def test_killed_again_and_again(clean: str, tmp_path: Path, kills: int) -> None:
    """SIGKILL at random moments; a directory is kept until its run is complete, then compared, and the next begins.

    They come after a fifth of the time that a run takes on this machine, in the mean.
    """
    rng, killed, finished = random.Random(6), 0, 0
    with Nursery() as nursery:
        path, usual = tmp_path / "run", nursery.seconds(tmp_path / "usual")
        while killed < kills or path.exists():
            child = nursery.start(path)
            time.sleep(rng.expovariate(5 / usual))
            os.kill(child, signal.SIGKILL)  # or what is left of it, if it has ended
            code = nursery.code(child)
            assert code in (0, -signal.SIGKILL)
            killed += code != 0
            if code == 0:
                assert verify(Dataset.open(path)).digest == clean
                assert Dataset.open(path).networks_done().tolist() == [300] * 16
                finished += 1
                shutil.rmtree(path)
    assert finished > kills / 100


@pytest.mark.parametrize("rounds", quick_and_full(2, 50))
def test_eight_writers(clean: str, tmp_path: Path, rounds: int) -> None:
    """Eight processes on the same shards: all end well, and every network counts once."""
    with Nursery() as nursery:
        for i in range(rounds):
            path = tmp_path / str(i)
            children = [nursery.start(path) for _ in range(8)]
            assert [nursery.code(child) for child in children] == [0] * 8
            dataset = Dataset.open(path)
            assert verify(dataset)[:3] == ([], [], clean)
            assert dataset.networks_done().tolist() == [300] * 16
            assert os.listdir(path / "tmp") == []


@pytest.mark.parametrize("rounds", quick_and_full(3, 50))
def test_a_stopped_process_released_late(clean: str, tmp_path: Path, rounds: int) -> None:
    """One process is stopped at a random moment, another finishes the run, and the first goes on: nothing changes."""
    rng = random.Random(7)
    with Nursery() as nursery:
        usual = nursery.seconds(tmp_path / "usual")
        for i in range(rounds):
            path = tmp_path / str(i)
            child = nursery.start(path)
            time.sleep(rng.random() * usual)
            os.kill(child, signal.SIGSTOP)
            assert nursery.code(nursery.start(path)) == 0
            before = contents(path)
            os.kill(child, signal.SIGCONT)
            assert nursery.code(child) == 0
            assert contents(path) == before
            assert verify(Dataset.open(path)).digest == clean


@pytest.mark.parametrize("counts", quick_and_full([2, 5], [1, 2, 5, 16, 100]))
def test_any_number_of_shards_in_any_order(clean: str, tmp_path: Path, counts: list[int]) -> None:
    rng = random.Random(8)
    with Nursery() as nursery:
        for count in counts:
            path = tmp_path / str(count)
            for index in rng.sample(range(1, count + 1), count):
                assert nursery.code(nursery.start(path, f"{index}/{count}")) == 0
            assert verify(Dataset.open(path)).digest == clean


CREATE = """
import os, sys
from pathlib import Path
from tests.gradsim.small_dataset import full
read, write = os.pipe()
children = []
for _ in range(100):
    if not (child := os.fork()):
        os.close(write)
        os.read(read, 1)  # all wait for the pipe to close
        try:
            full(Path(sys.argv[1]))
        except BaseException as error:
            print(repr(error), flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
os.close(write)
assert all(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 for child in children)
"""


def test_a_hundred_jobs_start_in_an_empty_directory(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", CREATE, str(tmp_path / "run")], check=True)
    assert contents(tmp_path / "run") == contents(full(tmp_path / "clean").path)
    assert verify(Dataset.open(tmp_path / "run")).problems == []


def test_other_numbers_are_loud(tmp_path: Path, monkeypatch) -> None:
    """A faulty machine: the shard that is committed stays, and the second finisher raises."""
    dataset = full(tmp_path / "run")
    before = contents(dataset.path)
    with pytest.raises(DeterminismError, match="other numbers") as caught:
        commit_other(dataset)
    assert caught.value.exit_code == 4
    (dataset.path / "manifests/000001.json").unlink()  # now as if the first had not come to its manifest
    with pytest.raises(DeterminismError, match=r"part-000001\.parquet"):
        commit_other(dataset)
    assert contents(dataset.path) == before


def commit_other(dataset: Dataset) -> None:
    from tests.gradsim import small_dataset

    values_of = small_dataset.values_of
    small_dataset.values_of = lambda *arguments: values_of(*arguments) + 1e-9
    try:
        commit(dataset, dataset.plan.shard(1))
    finally:
        small_dataset.values_of = values_of


def test_equal_numbers_in_other_bytes_are_used(tmp_path: Path, monkeypatch) -> None:
    """Another version of PyArrow wrote the tables and was killed: they are named as they are."""
    encode = schema.encode
    with monkeypatch.context() as patch:
        patch.setattr(schema, "encode", lambda tables, row_group=7: encode(tables, 7))
        other = full(tmp_path / "run")
    before = contents(other.path)
    for span in other.spans():
        (other.path / span.manifest).unlink()
    assert contents(full(tmp_path / "run").path) == before
    assert before != contents(full(tmp_path / "clean").path)
    assert verify(Dataset.open(tmp_path / "run")).digest == verify(full(tmp_path / "clean")).digest


def test_a_damaged_table_beside_two_writers(tmp_path: Path, monkeypatch) -> None:
    """Both find it; the second puts aside what is by then the first one's whole table, sees that, and puts it back."""
    from gradsim.dataset import commit as commits
    from gradsim.system import filesystem

    dataset = full(tmp_path / "run")
    (dataset.path / "manifests/000001.json").unlink()
    damaged = dataset.path / "data/layers/part-000001.parquet"
    damaged.write_bytes(b"PAR1")
    set_aside, encode = filesystem.set_aside, schema.encode

    def late(*arguments) -> None:
        monkeypatch.undo()
        monkeypatch.setattr(schema, "encode", lambda tables, row_group=7: encode(tables, 7))  # another version
        commit(dataset, dataset.plan.shard(1))
        monkeypatch.undo()
        set_aside(*arguments)

    monkeypatch.setattr(commits.filesystem, "set_aside", late)
    assert not commit(dataset, dataset.plan.shard(1))
    assert verify(Dataset.open(dataset.path)).problems == []
