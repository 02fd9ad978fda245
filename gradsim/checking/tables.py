"""Tables of modules and parameters, in the words of gradsim."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pandas as pd

from gradsim.checking.measurements import Array, Measurements
from gradsim.checking.presets import LEVEL

MODULE_COLUMNS = [
    "module", "kind", "family", "layer", "networks", "log_q", "log_q_se", "log_delta", "log_delta_se",
    "log_weight_grad", "log_weight_grad_se", "log_gain", "log_gain_se", "dead", "nonfinite",
]  # fmt: skip
PARAMETER_COLUMNS = [
    "parameter", "module", "kind", "family", "layer", "shape", "fan_in", "fan_out", "networks", "mean", "std", "std_se",
    "sigma_w", "kurtosis", "law", "log_weight_grad", "log_weight_grad_se", "dead", "presets",
]  # fmt: skip


def modules(measured: Measurements) -> pd.DataFrame:
    """Return a row per module that was called; see `Check.modules`."""
    rows = []
    for name, squares in measured.outputs.items():
        place = measured.module_places[name]
        absent = np.full(measured.networks, np.nan)
        gradient = measured.gradients.get(name, absent)
        weight = measured.weight_grads.get(f"{name}.weight".lstrip("."), absent)
        gain = gradient - _last(measured, name)
        columns = (squares, measured.norms.get(name, absent), weight, gain)
        dead, nonfinite = int(np.isneginf(gradient).sum()), int((~np.isfinite(squares) & ~np.isneginf(squares)).sum())
        rows.append(
            (name or "(model)", measured.kinds[name], place.family, place.layer, measured.networks,
             *(number for values in columns for number in mean_se(values)), dead, nonfinite)
        )  # fmt: skip
    return pd.DataFrame(rows, columns=MODULE_COLUMNS).astype({"layer": "Int64"})


def _last(measured: Measurements, name: str) -> Array:
    """ln mean square of the gradient at the last module of the family; of the module itself where it stands alone."""
    place = measured.module_places[name]
    family = [other for other, found in measured.module_places.items() if found.family == place.family]
    last = max(family, key=lambda other: measured.module_places[other].layer or 0)
    return measured.gradients.get(last, np.full(measured.networks, np.nan))


def parameters(measured: Measurements, presets: pd.DataFrame) -> pd.DataFrame:
    """Return a row per parameter; see `Check.parameters`."""
    fitting = presets[presets["fits"]].groupby("parameter")["preset"].agg(", ".join)
    rows = []
    for name, one in measured.parameters.items():
        moments, place = measured.moments[name], measured.parameter_places[name]
        grads = measured.weight_grads.get(name, np.full(measured.networks, np.nan))
        rows.append(
            (name, one.module, one.kind, place.family, place.layer, " x ".join(map(str, one.shape)), one.fan_in,
             one.fan_out, measured.networks, moments.mean, moments.std, moments.std * moments.relative_error(),
             moments.std * sqrt(one.fan_in) if one.fan_in else float("nan"), moments.kurtosis,
             moments.law(LEVEL / len(measured.parameters)), *mean_se(grads), int(np.isneginf(grads).sum()),
             fitting.get(name))
        )  # fmt: skip
    return pd.DataFrame(rows, columns=PARAMETER_COLUMNS).astype({"layer": "Int64"})


def mean_se(values: Array) -> tuple[float, float]:
    """Return mean and standard error over the networks in which a logarithm is finite; NaN without any."""
    live = values[np.isfinite(values)]
    if len(live) == 0:
        return float("nan"), float("nan")
    return float(live.mean()), float(live.std(ddof=1) / sqrt(len(live))) if len(live) > 1 else float("nan")
