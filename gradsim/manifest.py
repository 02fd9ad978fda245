"""Manifests: one JSON file per committed shard. Only what a manifest names is part of a dataset."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gradsim.errors import CorruptDataError
from gradsim.plan import Shard
from gradsim.schema import SCHEMA_VERSION, check_version

Kind = Literal["layers", "histograms", "networks"]
_Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """One Parquet file of a shard. Its path is relative to the dataset and cannot lead outside."""

    model_config = ConfigDict(frozen=True, strict=True)

    path: str = Field(pattern=r"^data/(layers|histograms|networks)/part-[A-Za-z0-9_-]+\.parquet$")
    rows: _Count
    bytes: _Count
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


def part_of(path: str, rows: int, data: bytes) -> Part:
    """Return the entry of a file with this content."""
    return Part(path=path, rows=rows, bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


class Manifest(BaseModel):
    """What a shard holds, of which sweep, and how it was made."""

    model_config = ConfigDict(frozen=True, strict=True)

    schema_version: int = SCHEMA_VERSION
    sweep: str
    shard: _Count
    slices: list[tuple[_Count, _Count, _Count]]
    parts: dict[Kind, Part]
    seconds: float
    finished: str
    environment: dict[str, str]

    def encode(self) -> bytes:
        """Return the manifest as JSON text."""
        return (self.model_dump_json(indent=1) + "\n").encode()

    @classmethod
    def decode(cls, data: bytes, name: str) -> Manifest:
        """Read a manifest; ``name`` is its path for messages.

        Raises
        ------
        SchemaVersionError
            If a newer gradsim wrote it.
        CorruptDataError
            If it is damaged or names a file outside the dataset.
        """
        try:
            check_version(int(json.loads(data)["schema_version"]), name)
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            reason = str(error)
        raise CorruptDataError(f"{name}: the manifest is damaged ({reason}). {REMEDY}.")

    def check(self, sweep_hash: str, shard: Shard, name: str) -> None:
        """Refuse a manifest of another sweep or shard, with :class:`CorruptDataError`."""
        slices = [(s.cell_id, s.first, s.count) for s in shard.slices]
        if (self.sweep, self.shard, self.slices) != (sweep_hash, shard.index, slices):
            raise CorruptDataError(f"{name}: the manifest is not of this sweep's shard {shard.index}. {REMEDY}.")


REMEDY = "Remove this manifest and run the sweep again: the shard is computed anew"
