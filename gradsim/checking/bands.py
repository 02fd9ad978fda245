"""`expected_band`: what the layers of a plain network show over seeds, for a monitor of training to overlay."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from gradsim.errors import SweepError
from gradsim.simulation.ensemble import simulate
from gradsim.system import filesystem
from gradsim.version import __version__
from gradsim_core.results.quantities import QUANTITIES

if TYPE_CHECKING:
    from gradsim.activations import AxisActivation

_LOG = "natural log"
_FIELDS = (
    ("quantity", pa.string(), "-", "log_delta: ln |dC/dh|_2; log_weight_grad: ln |dC/dW|_F; log_q: ln(|h|^2 / width); "
     "log_gain: ln mean square of delta over that of the last layer"),
    ("layer", pa.int32(), "-", "Number of the weight matrix, from 1"),
    ("networks", pa.int64(), "networks", "All that were simulated"),
    ("dead", pa.int64(), "networks", "Where it is exactly zero"),
    ("nonfinite", pa.int64(), "networks", "Where it is not finite"),
    ("mean", pa.float64(), _LOG, "Over live, finite networks"),
    ("se", pa.float64(), _LOG, "Standard error of the mean"),
    ("std", pa.float64(), _LOG, "Standard deviation over networks"),
    ("low", pa.float64(), _LOG, "Lower quantile of the band, dead networks as -inf"),
    ("median", pa.float64(), _LOG, "Median, dead networks as -inf"),
    ("high", pa.float64(), _LOG, "Upper quantile of the band, dead networks as -inf"),
)  # fmt: skip
COLUMNS = {name: f"{text} [{unit}]" for name, _, unit, text in _FIELDS}
"""What each column means, with its unit."""


def expected_band(
    activation: AxisActivation = "tanh",
    *,
    share: float = 0.9,
    path: str | Path | None = None,
    networks: int = 1000,
    **cell: Any,
) -> pd.DataFrame:
    """Return mean and quantile band of every layer's quantities, over networks that are initialised alike.

    Parameters
    ----------
    activation : str or Activation
        As `simulate` takes it.
    share : float
        Probability that a network lies within the band, in each layer: 0.9 gives the quantiles 0.05 and 0.95.
    path : path, optional
        Also write the table to this Parquet file, with units, descriptions and the cell in its metadata.
    networks : int
        How many are simulated.
    **cell
        The rest of the cell, as `simulate` takes it: sigma_w, sigma_b, depth, width, law, method, seed …

    Returns
    -------
    pandas.DataFrame
        A row per quantity and layer: quantity, layer, networks, dead, nonfinite; mean, se, std; low, median, high. In
        natural logarithms, of networks with one input N(0, I) and the cost C = v . x, v ~ N(0, I/width): a monitor
        with another cost shifts log_delta and log_weight_grad by a constant, and neither log_q nor log_gain.

    Raises
    ------
    SweepError
        If a value is not allowed; says which are.
    StorageError
        If the file cannot be written.

    Examples
    --------
    >>> band = expected_band("relu", sigma_w=2**0.5, depth=4, width=32, networks=200)
    >>> band.query("quantity == 'log_gain'")["layer"].tolist()
    [1, 2, 3, 4]
    """
    if isinstance(share, bool) or not isinstance(share, (int, float, np.number)) or not 0.0 < share < 1.0:
        raise SweepError("share", share, "a number between 0 and 1", "Write for example share = 0.9")
    ens = simulate(activation, networks=networks, **cell)
    ends = 0.5 - 0.5 * share, 0.5, 0.5 + 0.5 * share
    rows = [
        (name, layer, *_row(values, ends))
        for name in QUANTITIES
        for layer, values in enumerate(getattr(ens, name).T, 1)
    ]
    frame = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"layer": "int32"})
    if path is not None:
        _write(frame, Path(path), {"activation": activation, "networks": networks, "share": share, **cell})
    return frame


def _row(values: np.ndarray[Any, np.dtype[np.float64]], ends: tuple[float, float, float]) -> tuple[float, ...]:
    finite = values[~np.isnan(values)]
    live = finite[np.isfinite(finite)]
    mean = float(live.mean()) if len(live) else float("nan")
    std = float(live.std(ddof=1)) if len(live) > 1 else float("nan")
    quantiles = np.quantile(finite, ends, method="inverted_cdf") if len(finite) else np.full(3, np.nan)
    counts = len(values), int(np.isneginf(finite).sum()), len(values) - len(finite)
    return (*counts, mean, std / max(len(live), 1) ** 0.5, std, *map(float, quantiles))


def _write(frame: pd.DataFrame, path: Path, cell: dict[str, Any]) -> None:
    fields = [pa.field(name, kind, metadata={"unit": unit, "description": text}) for name, kind, unit, text in _FIELDS]
    words = {name: str(getattr(value, "name", value)) for name, value in cell.items()}
    schema = pa.schema(fields, metadata={"gradsim": __version__, **words})
    data = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(frame, schema, preserve_index=False), data)
    folder = filesystem.absolute(path).parent
    filesystem.make_dirs(folder)
    filesystem.replace(folder, filesystem.absolute(path), data.getvalue())
