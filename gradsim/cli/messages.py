"""Errors of the command line as JSON, for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime


def error_event(kind: str, text: str) -> str:
    """Return an error as a line of JSON for `--log-format json`, with keys time (UTC), event, kind, text."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps({"time": now, "event": "error", "kind": kind, "text": text})
