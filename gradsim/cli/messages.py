"""What the command line says of errors to programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime


def error_event(kind: str, text: str) -> str:
    """Return an error as a line of JSON, as `--log-format json` writes it: time (UTC), event, kind, text."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"time": now, "event": "error", "kind": kind, "text": text})
