"""JSON files that end in a checksum of themselves, so that no changed byte goes unnoticed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from gradsim.dataset.schema import SCHEMA_VERSION, check_version
from gradsim.errors import CorruptDataError

_UNSEALED = 1  # the layout of datasets in which files had no checksum of their own
_SEAL = re.compile(rb',\n "check": "([0-9a-f]{64})"\n}\n\Z')
_SEAL_LENGTH = 81


def seal(values: Mapping[str, Any], version: int = SCHEMA_VERSION) -> bytes:
    """Return the values as JSON text, the layout's version first, the SHA-256 of all before it last."""
    body = json.dumps({"schema_version": version, **values}, indent=1, allow_nan=False)
    body = body.removesuffix("\n}")
    digest = hashlib.sha256(body.encode()).hexdigest()
    return f'{body},\n "check": "{digest}"\n}}\n'.encode()


def unseal(data: bytes, name: str, remedy: str) -> dict[str, Any]:
    """Return the values of a sealed file.

    Parameters
    ----------
    data
        The file's content.
    name
        Its path, for messages.
    remedy
        What to do if it is damaged.

    Raises
    ------
    SchemaVersionError
        If a newer gradsim wrote it.
    CorruptDataError
        If a byte of it has changed.
    """
    try:
        values = json.loads(data)
        version = values["schema_version"]
        if type(version) is not int:
            raise ValueError("schema_version is no whole number")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorruptDataError(f"{name}: the file is damaged ({error}). {remedy}.") from None
    check_version(version, name)
    found = _SEAL.search(data, max(len(data) - _SEAL_LENGTH, 0))
    sealed = found is not None and hashlib.sha256(data[: found.start()]).hexdigest() == found[1].decode()
    if not sealed and (version > _UNSEALED or "check" in values):
        raise CorruptDataError(f"{name}: the file is damaged (its checksum differs). {remedy}.")
    return dict(values)
