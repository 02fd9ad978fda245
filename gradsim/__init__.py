"""gradsim: do back-propagated gradients vanish, explode or survive?

>>> import gradsim as gs
>>> ens = gs.simulate("tanh", sigma_w=1.5, depth=32, width=64, networks=100, seed=1)
>>> ens.log_gain.shape  # ln of the squared gradient of every layer over the last one's, for each network
(100, 32)
>>> gs.theory.critical_sigma_w("tanh")
1.0
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradsim.version import __version__

if TYPE_CHECKING:
    from gradsim import lessons, plots, theory
    from gradsim.checking.bands import expected_band
    from gradsim.checking.check import check
    from gradsim.checking.result import Check
    from gradsim.errors import GradsimError
    from gradsim.plots import layer_profile, phase_diagram
    from gradsim.recommendation.branches import BranchRecommendation
    from gradsim.recommendation.recommend import recommend
    from gradsim.recommendation.result import Recommendation
    from gradsim.runs.results import Run
    from gradsim.runs.run import open as open
    from gradsim.runs.run import run
    from gradsim.simulation.ensemble import Ensemble, simulate, weights
    from gradsim.spectra import Jacobian, jacobian
    from gradsim.steps.check_result import CoordinateCheck
    from gradsim.steps.coordinate_check import coordinate_check
    from gradsim.steps.result import TrainingSteps
    from gradsim.steps.simulate import simulate_training
    from gradsim.sweep import Sweep
    from gradsim.validation.referee import validate
    from gradsim_core.activations import Activation

# Loaded when first used: `gradsim --help` should not wait for pandas, nor `import gradsim` for Numba.
_HOMES = {
    "Activation": "gradsim_core.activations",
    "BranchRecommendation": "gradsim.recommendation",
    "Check": "gradsim.checking",
    "CoordinateCheck": "gradsim.steps",
    "Ensemble": "gradsim.simulation.ensemble",
    "GradsimError": "gradsim.errors",
    "Jacobian": "gradsim.spectra",
    "Recommendation": "gradsim.recommendation",
    "Run": "gradsim.runs",
    "Sweep": "gradsim.sweep",
    "TrainingSteps": "gradsim.steps",
    "check": "gradsim.checking",
    "coordinate_check": "gradsim.steps",
    "expected_band": "gradsim.checking",
    "jacobian": "gradsim.spectra",
    "layer_profile": "gradsim.plots",
    "lessons": "gradsim",
    "open": "gradsim.runs",
    "phase_diagram": "gradsim.plots",
    "plots": "gradsim",
    "recommend": "gradsim.recommendation",
    "run": "gradsim.runs",
    "simulate": "gradsim.simulation.ensemble",
    "simulate_training": "gradsim.steps",
    "theory": "gradsim",
    "validate": "gradsim.validation",
    "weights": "gradsim.simulation.ensemble",
}

# Not "open": `from gradsim import *` must not hide the built-in function.
__all__ = [
    "Activation", "BranchRecommendation", "Check", "CoordinateCheck", "Ensemble", "GradsimError", "Jacobian",
    "Recommendation", "Run", "Sweep", "TrainingSteps", "__version__", "check", "coordinate_check", "expected_band",
    "jacobian", "layer_profile", "lessons", "phase_diagram", "plots", "recommend", "run", "simulate",
    "simulate_training", "theory", "validate", "weights",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gradsim' has no attribute {name!r}")
    home = _HOMES[name]
    value = import_module(f"gradsim.{name}") if home == "gradsim" else getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "open"])
