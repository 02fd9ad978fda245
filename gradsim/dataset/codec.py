"""Sums as Arrow tables, and back: the one place that knows what the columns of a stored table hold.

Sums and stored tables meet in `Columns`, which are merged and digested::

    Sums -> Columns -> to_table -> stored table -> from_table -> Columns
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gradsim.dataset import schema, wide
from gradsim.dataset.manifest import Kind
from gradsim.errors import CorruptDataError
from gradsim.simulation.plan import Plan
from gradsim.simulation.segments import Shard
from gradsim.sweep.cells import Cell, digest_in
from gradsim.sweep.columns import NUMBERS_OR_NAMES, in_columns
from gradsim_core.results.of_inputs import OF_INPUTS
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.results.statistics import Sums

Columns = dict[str, np.ndarray]
"""Columns of equal length by name; ``quantity`` as codes, ``total`` and ``square`` as limbs (`wide`)."""

SCHEMAS: dict[Kind, pa.Schema] = {
    "layers": schema.LAYERS, "histograms": schema.HISTOGRAMS, "networks": schema.NETWORKS
}  # fmt: skip

ORDER: dict[Kind, tuple[str, ...]] = {
    "layers": ("quantity", "layer", "cell_id"),
    "histograms": ("quantity", "layer", "cell_id", "bin"),
}
"""How rows are sorted in a file: keys that identify a row."""

_SHORT = 12  # digits of the digest of a file
_LOW_BITS = 50  # a sum of squares is stored as square_high * 2^50 + square_low
NAMES = (*QUANTITIES, *OF_INPUTS)
"""Names of all quantities, whose places are their codes."""

_NAMES = pa.array(NAMES)


def cells_table(plan: Plan) -> pa.Table:
    """Return a row per cell of a plan with every parameter (`schema.cells_schema`)."""
    columns: dict[str, Any] = dict(zip(Cell._fields, map(list, zip(*plan.cells, strict=True)), strict=True))
    columns["networks"] = plan.cell_networks
    for name in ("seed", "method", "dtype"):
        columns[name] = [getattr(plan.sweep, name)] * len(plan.cells)
    columns["input_file"] = [digest_in(each)[:_SHORT] for each in columns["input_file"]]
    for name in NUMBERS_OR_NAMES:
        columns[name] = [in_columns(each) for each in columns[name]]
    found = schema.cells_schema(plan.sweep.network_axes)
    return pa.table({name: columns[name] for name in found.names}, found)


def layers_table(sums: Mapping[int, Sums], names: Sequence[str] = tuple(QUANTITIES)) -> pa.Table:
    """Return the sums of each cell_id as rows sorted by quantity, layer, cell_id (`schema.LAYERS`).

    ``names`` are those of the quantities in the sums.
    """
    return to_table("layers", _sorted(_coded(_from_sums(sums), names), ORDER["layers"]))


def histograms_table(sums: Mapping[int, Sums], names: Sequence[str] = tuple(QUANTITIES)) -> pa.Table:
    """Return the bins of each cell_id, sorted by quantity, layer, cell_id, bin (`schema.HISTOGRAMS`); as above."""
    return to_table("histograms", _sorted(_coded(_from_bins(sums), names), ORDER["histograms"]))


def networks_table(
    shard: Shard, values: Mapping[int, np.ndarray], names: Sequence[str] = tuple(QUANTITIES)
) -> pa.Table:
    """Return the single networks of a shard as rows sorted by cell_id, network, layer (`schema.NETWORKS`).

    Parameters
    ----------
    shard
        The shard.
    values
        For each cell_id the array (quantities, networks, depth); -inf is dead, NaN not finite.
    names
        Of the quantities.
    """
    made = []
    for part in shard.slices:
        depth = values[part.cell_id].shape[2]
        columns = [
            np.full(part.count * depth, part.cell_id, np.int32),
            np.repeat(np.arange(part.first, part.first + part.count), depth),
            np.tile(np.arange(1, depth + 1, dtype=np.int32), part.count),
            *(pa.array(quantity.ravel(), from_pandas=True) for quantity in values[part.cell_id]),  # NaN to null
        ]
        made.append(pa.table(columns, schema=schema.networks_schema(names)))
    return pa.concat_tables(made)


def to_table(kind: Kind, rows: Columns) -> pa.Table:
    """Return columns of sums or bins as a stored table, which `from_table` undoes.

    Raises
    ------
    OverflowError
        If a sum does not fit in 64 bits.
    """
    keys = [rows["cell_id"], rows["layer"], _NAMES.take(rows["quantity"])]
    if kind == "histograms":
        return pa.table([*keys, rows["bin"], rows["networks"]], schema=schema.HISTOGRAMS)
    live = rows["networks"] - rows["dead"] - rows["nonfinite"] > 0
    counts = (rows[name] for name in ("networks", "dead", "nonfinite"))
    sums = wide.to_int64(rows["total"]), *wide.to_pairs(rows["square"], _LOW_BITS)
    extremes = (pa.array(rows[name], mask=~live) for name in ("minimum", "maximum"))
    return pa.table([*keys, *counts, *sums, *extremes], schema=schema.LAYERS)


def from_table(kind: Kind, table: pa.Table) -> Columns:
    """Return a stored table as columns. Digests depend on their order, not on their names.

    Raises
    ------
    CorruptDataError
        If there is a quantity that gradsim does not know.
    """
    return {"layers": _from_layers, "histograms": _from_histograms, "networks": _from_networks}[kind](table)


def _from_keys(table: pa.Table) -> Columns:
    codes = pc.index_in(table["quantity"], value_set=_NAMES)
    if codes.null_count:
        raise CorruptDataError("A table of the dataset has a quantity that gradsim does not know: it is damaged.")
    return {
        "cell_id": table["cell_id"].to_numpy(),
        "layer": table["layer"].to_numpy(),
        "quantity": codes.to_numpy().astype(np.int8),
    }


def _from_layers(table: pa.Table) -> Columns:
    high, low = (table[name].to_numpy() for name in ("square_high", "square_low"))
    return _from_keys(table) | {
        "networks": table["networks"].to_numpy(),
        "dead": table["dead"].to_numpy(),
        "nonfinite": table["nonfinite"].to_numpy(),
        "total": wide.of_int64(table["total"].to_numpy()),
        "square": wide.of_pairs(high, low, _LOW_BITS),
        "minimum": pc.fill_null(table["min"], np.inf).to_numpy(),
        "maximum": pc.fill_null(table["max"], -np.inf).to_numpy(),
    }


def _from_histograms(table: pa.Table) -> Columns:
    return _from_keys(table) | {"bin": table["bin"].to_numpy(), "networks": table["networks"].to_numpy()}


def _from_networks(table: pa.Table) -> Columns:
    keys = {name: table[name].to_numpy() for name in ("cell_id", "network", "layer")}
    return keys | {name: pc.fill_null(table[name], np.nan).to_numpy() for name in NAMES if name in table.column_names}


def _from_sums(sums: Mapping[int, Sums]) -> Columns:
    shapes = {cell_id: cell.networks.shape for cell_id, cell in sums.items()}
    flat = {name: np.concatenate([getattr(cell, name).ravel() for cell in sums.values()]) for name in Sums._fields[:8]}
    high, low = flat.pop("square_high"), flat.pop("square_low")
    lengths = [math.prod(shape) for shape in shapes.values()]
    column = np.concatenate([np.arange(length) for length in lengths])
    wide_sums = {"total": wide.of_int64(flat["total"]), "square": wide.of_pairs(high, low, _LOW_BITS)}
    return _keys_of(shapes, lengths, column) | flat | wide_sums


def _from_bins(sums: Mapping[int, Sums]) -> Columns:
    shapes = {cell_id: cell.networks.shape for cell_id, cell in sums.items()}
    column, bins, counts = (
        np.concatenate([getattr(cell, name) for cell in sums.values()])
        for name in ("hist_column", "hist_bin", "hist_count")
    )
    lengths = [len(cell.hist_bin) for cell in sums.values()]
    return _keys_of(shapes, lengths, column) | {"bin": bins, "networks": counts}


def _keys_of(shapes: Mapping[int, tuple[int, ...]], lengths: list[int], column: np.ndarray) -> Columns:
    """Keys of rows, so many of each cell; a row's column is quantity * depth + layer - 1, as in `Sums`."""
    depth = np.repeat([shape[1] for shape in shapes.values()], lengths)
    return {
        "cell_id": np.repeat(np.array(list(shapes), np.int32), lengths),
        "layer": (column % depth + 1).astype(np.int32),
        "quantity": (column // depth).astype(np.int8),
    }


def _coded(rows: Columns, names: Sequence[str]) -> Columns:
    """Rows with the codes of quantities in the place of their numbers among some names."""
    return rows | {"quantity": np.array([NAMES.index(name) for name in names], np.int8)[rows["quantity"]]}


def _sorted(rows: Columns, keys: tuple[str, ...]) -> Columns:
    order = np.lexsort([rows[key] for key in reversed(keys)])
    return {name: column[order] for name, column in rows.items()}
