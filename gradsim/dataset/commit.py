"""The commit of a shard: its tables first, its manifest last, each visible at once or not at all.

Several processes may compute the same shard. The first manifest stands; a later process compares its digests with
those in the manifest, which must be equal, and drops its own tables. A visible file is never written again, except a
damaged one that no manifest names.
"""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path

import pyarrow as pa

from gradsim.dataset import manifest, schema
from gradsim.dataset.codec import SCHEMAS, from_table
from gradsim.dataset.digests import Digest, digest
from gradsim.dataset.manifest import Kind, Manifest, Part, Span, triples
from gradsim.errors import CorruptDataError, DeterminismError, StorageError
from gradsim.simulation.plan import Plan
from gradsim.system import filesystem, provenance


@dataclass(frozen=True, slots=True)
class Content:
    """What is stored of one kind: a Parquet file, its rows, and the digest of their values."""

    data: memoryview
    rows: int
    digest: str


def content(kind: Kind, tables: Iterable[pa.Table], row_group: int = schema.ROW_GROUP) -> Content:
    """Return tables of one kind, one after the other, as they are stored."""
    rows, found = 0, Digest()

    def counted() -> Iterator[pa.Table]:
        nonlocal rows
        for table in tables:
            rows += table.num_rows
            found.add(from_table(kind, table))
            yield table

    return Content(schema.encode(counted(), row_group), rows, found.hexdigest())


def commit(
    root: Path, plan: Plan, span: Span, contents: Mapping[Kind, Content], seconds: float, device: str = "cpu"
) -> bool:
    """Store consecutive shards, once.

    Parameters
    ----------
    root
        The dataset's directory, made.
    plan
        The plan of its sweep.
    span, contents
        The shards, of one segment of the plan, and what is stored of them.
    seconds, device
        Time it took to compute them, and what computed them.

    Returns
    -------
    bool
        False if they were committed before, with the same values; nothing is written then.

    Raises
    ------
    DeterminismError
        If they were committed before, with other values.
    StorageError
        If writing fails; the same can be tried again.
    """
    if filesystem.exists(root / span.manifest):
        _compare(root, plan, span, contents)
        return False
    start = time.monotonic()
    parts = {kind: _place(root, plan, span, kind, contents) for kind in contents}
    ours = Manifest(
        sweep=plan.hash_of(plan.segment_of(span.first)),
        shard=span.first,
        shards=span.last - span.first + 1,
        slices=triples(plan.slices(*span)),
        parts=parts,
        seconds=seconds,
        write_seconds=time.monotonic() - start,
        finished=provenance.now(),
        environment=provenance.environment() | {"device": device},
        generators=plan.generators,
    )
    if filesystem.write_new(root / "tmp", root / span.manifest, ours.encode()):
        return True
    _compare(root, plan, span, contents)
    return False


def _place(root: Path, plan: Plan, span: Span, kind: Kind, contents: Mapping[Kind, Content]) -> Part:
    """Store one table where no manifest names it yet; what lies there already is used if it has the same values."""
    ours, path, tmp = contents[kind], root / span.part(kind), root / "tmp"
    data: bytes | memoryview = ours.data
    while not filesystem.write_new(tmp, path, ours.data, partial(_check_written, path=path, kind=kind, ours=ours)):
        found = _lies_there(path, kind, len(ours.data))
        if found is None:
            filesystem.set_aside(tmp, path, lambda aside: _lies_there(aside, kind, len(ours.data)) is None)
            continue
        # Its bytes may differ, where another version of PyArrow wrote it; a live process may be about to name it.
        if found != ours.data and _digest(found, path, kind) != ours.digest:
            _compare(root, plan, span, contents)
            raise DeterminismError(_other_numbers(path))
        filesystem.make_durable(path)
        data = found
        break
    sha256 = hashlib.sha256(data).hexdigest()
    return Part(path=span.part(kind), rows=ours.rows, bytes=len(data), sha256=sha256, digest=ours.digest)


def _lies_there(path: Path, kind: Kind, size: int) -> bytes | None:
    """What lies in a table's place; None if it is damaged, or has far other bytes than such a table."""
    most = 4 * size + 2**20
    data = filesystem.read_bytes(path, most) or b""
    try:
        _digest(data, path, kind)
    except CorruptDataError:
        return None
    return data if len(data) <= most else None


def _digest(source: bytes | BufferedReader, path: Path, kind: Kind) -> str:
    return digest(schema.row_groups(source, str(path), SCHEMAS[kind]), kind)


def _check_written(temporary: Path, path: Path, kind: Kind, ours: Content) -> None:
    """Read a file back before it becomes visible: its bytes, then pages, columns and values."""
    try:
        with filesystem.reading(temporary) as file:
            same = hashlib.file_digest(file, "sha256").digest() == hashlib.sha256(ours.data).digest()
            file.seek(0)
            same = same and _digest(file, temporary, kind) == ours.digest
    except CorruptDataError:
        same = False
    if not same:
        raise StorageError(path, OSError(errno.EIO, "the file reads back otherwise than it was written"))


def _compare(root: Path, plan: Plan, span: Span, contents: Mapping[Kind, Content]) -> None:
    """Compare values with those that were committed, if they were; older manifests have no digests."""
    if not filesystem.exists(root / span.manifest):
        return
    committed = manifest.read(root, span, plan)
    if any(part.digest not in (None, contents[kind].digest) for kind, part in committed.parts.items()):
        raise DeterminismError(_other_numbers(root / span.manifest))


def _other_numbers(path: Path) -> str:
    return (
        f"{path}: this shard was computed before, with other numbers. A machine is faulty, or the two runs used "
        "different versions of gradsim. Nothing was changed. Compare the environments in the manifests, remove this "
        "file if it is the wrong one, and run the sweep again."
    )
