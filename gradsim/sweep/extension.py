"""An extension of a sweep: cells and networks that are added to its dataset after it was run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from gradsim.errors import SweepError
from gradsim.sweep import files
from gradsim.sweep.axes import CELL_CAP
from gradsim.sweep.cells import Cell, canonical_json, round12
from gradsim.sweep.fields import LARGEST_SIGMA, NETWORKS_CAP, SMALLEST_SIGMA
from gradsim.sweep.validation import ValidatedModel

_HEADER = """\
# Cells and networks that gradsim refine has added to the sweep. This file belongs to the dataset: do not change it.
# cells: [template, sigma_w], a new cell with the other parameters of the cell `template`; numbers go on.
# networks: [cell_id, count], so many networks more of an old or a new cell.
"""
_HASH = r"^[0-9a-f]{64}$"
_CellId = Annotated[int, Field(strict=True, ge=0, lt=2**31)]
_SigmaW = Annotated[float, Field(strict=True, ge=SMALLEST_SIGMA, le=LARGEST_SIGMA), AfterValidator(round12)]
_Count = Annotated[int, Field(strict=True, ge=1, le=NETWORKS_CAP)]


class Extension(ValidatedModel):
    """What is added to a sweep and the extensions before it, to whose chain of hashes it belongs.

    Parameters
    ----------
    parent
        ``content_hash`` of the extension before, or of the sweep.
    cells
        New cells, ascending: a cell whose other parameters each has, and its sigma_w at 12 significant digits.
    networks
        How many networks are added to which cell, ascending in cell_id. An old cell goes on at its next network.

    Raises
    ------
    SweepError
        If a value is not valid.

    Examples
    --------
    >>> extension = Extension(parent="0" * 64, cells=((0, 1.25),), networks=((0, 50), (2, 100)))
    >>> extension.new_cells([Cell(0, "tanh", "gaussian", 1.0, 0.0, 4, 8), Cell(1, "tanh", "gaussian", 1.5, 0.0, 4, 8)])
    [Cell(cell_id=2, activation='tanh', law='gaussian', sigma_w=1.25, sigma_b=0.0, depth=4, width=8)]
    """

    parent: Annotated[str, Field(pattern=_HASH, description="64 hexadecimal digits", examples=["0" * 64])]
    cells: tuple[tuple[_CellId, _SigmaW], ...] = Field(
        default=(), description="pairs of a cell_id and a sigma_w", examples=[[[0, 1.5]]]
    )
    networks: tuple[tuple[_CellId, _Count], ...] = Field(
        min_length=1, description="one or more pairs of a cell_id and a number of networks", examples=[[[0, 100]]]
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        ids = [cell_id for cell_id, _ in self.networks]
        for field, keys in (("cells", list[Any](self.cells)), ("networks", ids)):
            for first, second in pairwise(keys):
                if not first < second:
                    raise SweepError(field, second, "each once, in ascending order", "Sort them and remove repeats")
        return self

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 in hex of the canonical JSON of all that is added, and of the hash before: so hashes form a chain."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json")).encode()).hexdigest()

    def new_cells(self, cells: Sequence[Cell]) -> list[Cell]:
        """Return the new cells, numbered on from those that there are.

        Raises
        ------
        SweepError
            If a template or a cell that gets networks is not there, a new cell is there already or gets no networks,
            or there are too many cells.
        """
        made = []
        for cell_id, (template, sigma_w) in enumerate(self.cells, len(cells)):
            if template >= len(cells):
                allowed = f"a cell_id from 0 to {len(cells) - 1}"
                raise SweepError("cells: template", template, allowed, "Take a cell of the sweep")
            made.append(cells[template]._replace(cell_id=cell_id, sigma_w=sigma_w))
        self._check_cells(cells, made)
        return made

    def _check_cells(self, cells: Sequence[Cell], made: list[Cell]) -> None:
        count, groups = len(cells) + len(made), {cell._replace(cell_id=0, sigma_w=0.0) for cell in made}
        if count > CELL_CAP:
            raise SweepError("cells", count, f"at most {CELL_CAP} cells in all", "Refine fewer boundaries")
        there = {cell[1:]: cell for cell in cells if groups and cell._replace(cell_id=0, sigma_w=0.0) in groups}
        for cell in made:
            first = there.setdefault(cell[1:], cell)
            if first is not cell:
                remedy = f"Add networks to cell {first.cell_id}, which is the same"
                raise SweepError("cells: sigma_w", cell.sigma_w, "a sigma_w that no such cell has", remedy)
        grown = {cell_id for cell_id, _ in self.networks}
        if max(grown) >= count or not grown.issuperset(range(len(cells), count)):
            allowed = f"networks of cells 0 to {count - 1}, among them all {len(made)} new ones"
            raise SweepError("networks", sorted(grown), allowed, "Give each new cell its networks")

    def text(self) -> str:
        """Return the extension as canonical TOML, with its own hash, so that no changed value goes unnoticed."""
        return _HEADER + files.text(self.model_dump() | {"content_hash": self.content_hash})

    @classmethod
    def from_text(cls, data: bytes, source: str) -> Self:
        """Return the extension in a file.

        Raises
        ------
        SweepFileError
            If it is not TOML.
        SweepError
            If a value is not valid, or its hash is not that of its content.
        """
        values: dict[str, Any] = files.parse(data, source)
        stored = values.pop("content_hash", None)
        made = cls(**values)
        if stored != made.content_hash:
            raise SweepError("content_hash", stored, made.content_hash, "A value in it was changed")
        return made
