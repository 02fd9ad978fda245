"""Sweep files: TOML text to a dictionary and back, and the sweeps that are shipped with gradsim."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from gradsim.errors import SweepFileError, suggestion

SIZE_CAP = 2**20
"""Most bytes of a sweep file: far more than a sweep needs, far less than a data file given by mistake."""


def shipped() -> tuple[str, ...]:
    """Return the names of the sweeps that are shipped with gradsim."""
    folder = resources.files("gradsim_data") / "sweeps"
    return tuple(sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".toml")))


def is_stream(path_or_name: str | Path) -> bool:
    """Whether this is standard input (``"-"``), a pipe or a device: it has no name of its own, and is read once."""
    name = str(path_or_name)
    regular = os.path.isfile(name) and Path(name).parts[:2] != ("/", "dev")
    return name == "-" or (os.path.exists(name) and not regular and not os.path.isdir(name))


def read(path_or_name: str | Path) -> dict[str, Any]:
    """Return the keys and values of a sweep file, or of a shipped sweep by its name.

    A file may also be a pipe, as ``<(sed … sweep.toml)`` gives one; ``"-"`` is standard input.

    Raises
    ------
    SweepFileError
        If there is none, it cannot be read, is larger than ``SIZE_CAP``, or is not TOML in UTF-8.
    """
    path = Path(path_or_name)
    try:
        if is_stream(path) or path.is_file():
            with open(0 if str(path) == "-" else path, "rb", closefd=str(path) != "-") as file:
                data = file.read(SIZE_CAP + 1)
        elif str(path_or_name) in shipped():
            data = (resources.files("gradsim_data") / "sweeps" / f"{path_or_name}.toml").read_bytes()
        else:
            raise SweepFileError(_not_found(path))
    except OSError as error:
        reason = error.strerror or str(error)
        raise SweepFileError(
            f"{path}: the sweep file cannot be read: {reason}. Check the path and its permissions."
        ) from None
    if len(data) > SIZE_CAP:
        raise SweepFileError(
            f"{path}: the file is larger than 1 MiB, the most a sweep file may have. "
            "Check that this is a sweep file; write long axes as {start, stop, num}."
        )
    return parse(data, str(path))


def parse(data: bytes, source: str) -> dict[str, Any]:
    """Return the keys and values of TOML text; ``source`` names it in messages.

    Raises
    ------
    SweepFileError
        If it is not TOML in UTF-8; the message gives the line.
    """
    try:
        text = data.decode("utf-8-sig")  # some editors put a byte order mark in front
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SweepFileError(f"{source}: not UTF-8 text (at line {line}). Save the file as UTF-8.") from None
    try:
        return tomllib.loads(text)
    # ValueError is TOML's own error, and Python's for an integer of more than 4,300 digits.
    except (ValueError, RecursionError) as error:
        raise SweepFileError(
            f"{source}: not a TOML file: {error}. Correct it; a valid line is, for example: sigma_w = 1.5"
        ) from None


def text(values: Mapping[str, object]) -> str:
    """Return flat values as TOML, one key a line: strings, numbers, sequences and flat mappings of them."""
    return "".join(f"{key} = {_value(value)}\n" for key, value in values.items())


def _value(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")  # which TOML wants escaped, too
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_value(item)}' for key, item in value.items())} }}"
    return repr(value).lower() if isinstance(value, bool) else repr(value)


def _not_found(path: Path) -> str:
    names = shipped()
    if path.is_dir():
        return f"{path} is a directory. Give a sweep file, or a shipped sweep: {', '.join(names)}."
    return (
        f"{path}: there is no such sweep file or shipped sweep; shipped are {', '.join(names)}. "
        f"{suggestion(path, names)}. Or give the path of a TOML file."
    )
