"""What an attacker does to a dataset, and what must come of it."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest

from gradsim.dataset.dataset import Dataset
from gradsim.dataset.maintenance import compact, gc
from gradsim.dataset.sealed_json import seal
from gradsim.dataset.verification import verify
from gradsim.errors import CorruptDataError, GradsimError


def edit(path: Path, **changes: object) -> None:
    """Change a manifest and seal it again, as an attacker would."""
    values = json.loads(path.read_text()) | changes
    path.write_bytes(seal({key: value for key, value in values.items() if key not in ("check", "schema_version")}))


def refused(path: Path, other=Dataset.read_networks) -> None:
    """Everything that reads refuses the dataset, in words, and `verify` reports it."""
    for read in (Dataset.read_layers, other, gc, lambda d: compact(d, path.parent / "new")):
        try:
            read(Dataset.open(path))
        except CorruptDataError:
            continue
        except GradsimError as error:
            pytest.fail(f"{error!r}")
        if read is gc:
            continue  # it opens no table, and removes nothing that is named
        pytest.fail("not refused")
    with suppress(CorruptDataError):
        assert verify(Dataset.open(path)).problems
