"""The tables of a run for other programs: CSV, Parquet, LaTeX, xarray, and views for DuckDB."""

from __future__ import annotations

import importlib.resources
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gradsim.errors import GradsimError, SweepError
from gradsim.sweep.columns import independent_axes, with_network_axes
from gradsim.sweep.presets import STOOD_FOR
from gradsim.system import filesystem

if TYPE_CHECKING:
    import xarray

AXES = ["activation", "law", "sigma_b", "width", "depth", "sigma_w"]
FORMATS = ("csv", "parquet", "latex", "sql")
LATEX_COLUMNS = {
    "summary": [
        "activation", "sigma_b", "width", "depth", "sigma_w", "quenched_log_gain", "quenched_se", "std",
        "median_log_gain", "live_share", "dead_fraction", "phase",
    ],
    "boundary": [
        "activation", "sigma_b", "width", "depth", "kind", "sigma_w", "ci_low", "ci_high", "theory", "theory_width",
    ],
}  # fmt: skip


class XarrayExtraMissingError(GradsimError, ImportError):
    """xarray is not installed."""

    exit_code = 2


def views() -> str:
    """Return SQL that makes the views cells, layers, histograms and summary of a run in DuckDB."""
    return importlib.resources.files("gradsim_data").joinpath("views.sql").read_text("utf-8")


def write_tables(tables: Mapping[str, pd.DataFrame], out: Path, form: str) -> list[Path]:
    """Write each table into a folder, in one of `FORMATS`; return the files.

    Raises
    ------
    SweepError
        For an unknown format.
    StorageError
        If they cannot be written.
    """
    if form not in FORMATS:
        raise SweepError("format", form, f"one of {', '.join(FORMATS)}", 'Write for example format="csv"')
    if form == "sql":
        files = {"views.sql": views().encode()}
    else:
        suffix, convert = _CONVERTERS[form]
        shown = {name: table for name, table in tables.items() if form != "latex" or name in LATEX_COLUMNS}
        files = {f"{name}.{suffix}": convert(name, table) for name, table in shown.items()}
    filesystem.check_writable(out)
    filesystem.make_dirs(out)
    for name, data in files.items():
        filesystem.replace(out, out / name, data)
    return [out / name for name in files]


def to_xarray(layers: pd.DataFrame, summary: pd.DataFrame, boundary: pd.DataFrame) -> xarray.Dataset:
    """Return the tables of a run as one dataset; see `Run.to_xarray`."""
    try:
        import xarray
    except ImportError as error:
        raise XarrayExtraMissingError(
            'to_xarray needs xarray, which is not installed. Install it with: pip install "gradsim[xarray]"'
        ) from error
    axes = independent_axes(AXES, summary)
    of_layers = _indexed(layers, ["quantity", *axes, "layer"]).drop(columns=list(STOOD_FOR), errors="ignore")
    of_cells = _indexed(summary, axes)
    shared = {name: f"cell_{name}" for name in of_cells if name in of_layers}
    parts = (of_layers, of_cells.rename(columns=shared), _boundaries(boundary))
    return xarray.merge([part.to_xarray() for part in parts], compat="no_conflicts", join="outer")


def _boundaries(boundary: pd.DataFrame) -> pd.DataFrame:
    names = {"sigma_w": "boundary", "ci_low": "boundary_low", "ci_high": "boundary_high"}
    names |= {name: f"boundary_{name}" for name in ("theory", "theory_inf", "theory_width", "trusted")}
    return boundary.set_index(["kind", *independent_axes(AXES[:-1], boundary)])[list(names)].rename(columns=names)


def _indexed(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The columns that become variables, by their dimensions."""
    return frame.set_index(keys).drop(
        columns=["cell_id", "reason", "networks", "seed", "method", "dtype"], errors="ignore"
    )


def _csv(name: str, table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False).encode()


def _parquet(name: str, table: pd.DataFrame) -> bytes:
    found = io.BytesIO()
    table.to_parquet(found, index=False, compression="zstd")
    return found.getvalue()


def _latex(name: str, table: pd.DataFrame) -> bytes:
    """A booktabs table without columns that are the same in every row; those are in its caption."""
    shown = table[[column for column in with_network_axes(LATEX_COLUMNS[name], table) if column in table]]
    same = [column for column in shown if len(shown) > 1 and shown[column].nunique(dropna=False) == 1]
    facts: list[Any] = [f"{column} = {shown[column].iloc[0]}" for column in same]
    caption = f"{name}: {', '.join(facts)}" if facts else name
    style = shown.drop(columns=same).style.hide(axis="index").format(precision=4, na_rep="--", escape="latex")
    style = style.format_index(axis="columns", escape="latex")
    return style.to_latex(hrules=True, caption=caption.replace("_", r"\_")).encode()


_CONVERTERS: dict[str, tuple[str, Callable[[str, pd.DataFrame], bytes]]] = {
    "csv": ("csv", _csv),
    "parquet": ("parquet", _parquet),
    "latex": ("tex", _latex),
}
