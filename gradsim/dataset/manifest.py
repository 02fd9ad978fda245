"""Manifests: one JSON file per commit. Only what a manifest names is part of a dataset."""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import mul
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gradsim.dataset.sealed_json import seal, unseal
from gradsim.errors import CorruptDataError
from gradsim.simulation.plan import Plan
from gradsim.simulation.segments import Slice
from gradsim.system import filesystem

Kind = Literal["layers", "histograms", "networks"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SIZE_CAP = 2**26
"""Most bytes of a manifest: some 10^6 slices."""

REMEDY = "Remove this manifest, as gradsim verify --repair does, and run the sweep again: the shard is computed anew"

_NAME = re.compile(r"([0-9]{6,12})(?:-([0-9]{6,12}))?")
_Count = Annotated[int, Field(ge=0)]
_Seconds = Annotated[float, Field(ge=0, le=1e9)]
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Span(NamedTuple):
    """Consecutive shards of a plan that are committed together: one in a run, more after it was compacted."""

    first: int
    last: int

    @property
    def name(self) -> str:
        """The span in file names: at least six digits, so that names sort."""
        return f"{self.first:06d}" if self.first == self.last else f"{self.first:06d}-{self.last:06d}"

    @property
    def manifest(self) -> str:
        """Path of the manifest, relative to the dataset."""
        return f"manifests/{self.name}.json"

    def part(self, kind: Kind) -> str:
        """Path of a table, relative to the dataset."""
        return f"data/{kind}/part-{self.name}.parquet"

    @classmethod
    def of_manifest(cls, name: str) -> Self | None:
        """Return the span of a manifest's file name, None for any other name."""
        return cls._of(name, ".json")

    @classmethod
    def of_part(cls, name: str) -> Self | None:
        """Return the span of a table's file name, None for any other name."""
        return cls._of(name.removeprefix("part-"), ".parquet") if name.startswith("part-") else None

    @classmethod
    def _of(cls, name: str, ending: str) -> Self | None:
        match = _NAME.fullmatch(name.removesuffix(ending)) if name.endswith(ending) else None
        span = cls(int(match[1]), int(match[2] or match[1])) if match else None
        return span if span and span.name + ending == name and span.first <= span.last else None


class Part(BaseModel):
    """One Parquet file of a commit, and the digest of the values in it, however they are encoded."""

    model_config = ConfigDict(frozen=True, strict=True)

    path: Annotated[str, Field(max_length=80)]
    rows: _Count
    bytes: _Count
    sha256: _Hash
    digest: _Hash | None = None  # older datasets have none


class Manifest(BaseModel):
    """What a commit holds, of which sweep, and how it was made.

    ``sweep`` is the hash of the sweep, or with that of the extension whose networks these are, which covers all before.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    sweep: str
    shard: _Count
    shards: Annotated[int, Field(ge=1)] = 1
    slices: list[tuple[_Count, _Count, _Count]]
    parts: dict[Kind, Part]
    seconds: _Seconds
    write_seconds: _Seconds = 0.0
    finished: Annotated[AwareDatetime, Field(strict=False)]
    environment: dict[str, str]
    generators: dict[str, _Count] = {}  # see `Plan`

    @property
    def span(self) -> Span:
        """The shards it is of."""
        return Span(self.shard, self.shard + self.shards - 1)

    def encode(self) -> bytes:
        """Return the manifest as JSON text that ends in its own checksum."""
        return seal(self.model_dump(mode="json"))

    @classmethod
    def decode(cls, data: bytes, name: str) -> Manifest:
        """Read a manifest; ``name`` is its path for messages.

        Raises
        ------
        SchemaVersionError
            If a newer gradsim wrote it.
        CorruptDataError
            If it is damaged.
        """
        if len(data) > SIZE_CAP:
            raise CorruptDataError(f"{name}: larger than {SIZE_CAP // 2**20} MiB, which no manifest is. {REMEDY}.")
        values = unseal(data, name, REMEDY)
        try:
            return cls.model_validate(values | {"slices": _tuples(values.get("slices"))})
        except (ValidationError, RecursionError) as error:
            raise CorruptDataError(f"{name}: the file is damaged ({_reason(error)}). {REMEDY}.") from None

    def check(self, plan: Plan, span: Span, name: str) -> None:
        """Refuse a manifest of another sweep or shard, or of other files, with :class:`CorruptDataError`."""
        kinds: Sequence[Kind] = KINDS if plan.sweep.record == "networks" else KINDS[:2]
        slices = triples(plan.slices(*span))
        expected = plan.hash_of(plan.segment_of(span.first))
        if (self.sweep, self.span, self.slices) != (expected, span, slices):
            raise CorruptDataError(f"{name}: the manifest is not of this sweep's shard {span.name}. {REMEDY}.")
        if self.generators != plan.generators:
            raise CorruptDataError(f"{name}: the random numbers are of another version than run.json says. {REMEDY}.")
        if {kind: part.path for kind, part in self.parts.items()} != {kind: span.part(kind) for kind in kinds}:
            raise CorruptDataError(f"{name}: the manifest names other files than this shard has. {REMEDY}.")
        depths = [plan.cells[cell].depth for cell, _, _ in slices]
        bins = [plan.most_bins(cell, count) for cell, _, count in slices]
        counts = [count for _, _, count in slices]
        most = {
            "layers": len(plan.sweep.recorded) * sum(depths),
            "histograms": len(plan.sweep.recorded) * sum(map(mul, depths, bins)),
            "networks": sum(map(mul, depths, counts)),
        }
        if any(part.rows > most[kind] for kind, part in self.parts.items()):
            raise CorruptDataError(f"{name}: the manifest has more rows than its shard can have. {REMEDY}.")


def read(root: Path, span: Span, plan: Plan) -> Manifest:
    """Return a manifest of a dataset, checked against its plan.

    Raises
    ------
    CorruptDataError
        If it is missing or damaged, or of another sweep or shard.
    """
    path = root / span.manifest
    if not plan.has(*span):
        raise CorruptDataError(
            f"{path}: the sweep has no shard {span.name}. Remove this manifest; or if a file of extensions/ is lost, "
            "restore that file from a copy."
        )
    manifest = Manifest.decode(filesystem.read_bytes(path, SIZE_CAP) or b"", str(path))
    manifest.check(plan, span, str(path))
    return manifest


def triples(slices: Sequence[Slice]) -> list[tuple[int, int, int]]:
    """Return slices as a manifest has them: cell_id, first network, number of networks."""
    return [(part.cell_id, part.first, part.count) for part in slices]


def _tuples(value: Any) -> Any:
    return [tuple(item) if isinstance(item, list) else item for item in value] if isinstance(value, list) else value


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
