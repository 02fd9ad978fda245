"""How stream and gradient of a network with branches grow over its depth, by theory and by simulation."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from gradsim.analysis.mean_field import MeanField, mean_field
from gradsim.analysis.summaries import DECADE
from gradsim.recommendation.candidates import Candidate
from gradsim.recommendation.samples import Networks, Sample
from gradsim.simulation.ensemble import simulate
from gradsim.system.threads import resolve_threads
from gradsim_core.architectures import PRESETS, normals

_NORMALS = 2**27  # of one initialisation: about a sixth of a second on two cores
_FEWEST, _MOST = 8, 200  # networks, which differ by few hundredths of a decade where branches are normalised
_DEEPEST = 24  # blocks whose attention theory follows: half a second on two cores, for each initialisation
_PATIENCE = 4  # times as many normals for the fewest


class Growth(NamedTuple):
    """Growth in decades of the norm.

    Attributes
    ----------
    theory
        Of stream and gradient, in natural logarithms of mean squares; NaN with a reason.
    stream, gradient
        Of simulated networks; None if they would take too long. The stream's median mean square over that of the
        input, and the gradient's gain from the last block to the first.
    """

    theory: MeanField
    stream: Sample | None
    gradient: Sample | None

    def row(self) -> dict[str, Any]:
        """The numbers by the names of their columns."""
        found: dict[str, Any] = {}
        for name, sample, log in (
            ("stream", self.stream, self.theory.log_q),
            ("gradient", self.gradient, self.theory.log_gain),
        ):
            low, high = sample.median_interval() if sample else (np.nan, np.nan)
            median = sample.median if sample else np.nan
            found |= {f"{name}_theory": log / DECADE, name: median / DECADE}
            found |= {f"{name}_low": low / DECADE, f"{name}_high": high / DECADE}
        shares = ("live_share", "dead_fraction", "nonfinite_fraction", "networks")
        found |= {share: getattr(self.gradient, share) if self.gradient else np.nan for share in shares}
        return found | {"networks": self.gradient.networks if self.gradient else 0, "reason": self.theory.reason}


def affordable(networks: Networks) -> int:
    """How many networks of an initialisation are simulated: 0 if a few would take too long."""
    work = normals(networks.network, "conditional", networks.depth, networks.width)
    if _FEWEST * work > _PATIENCE * _NORMALS:
        return 0
    return int(np.clip(_NORMALS // work, _FEWEST, _MOST))


def expect(networks: Networks, found: Sequence[Candidate], simulated: bool) -> list[MeanField]:
    """Return the mean field of each initialisation; none of deep attention, if networks are simulated as well."""
    network = networks.network
    slow = network.architecture == "transformer" and network.causal and network.scores != "1/d" and network.inputs > 1
    if simulated and slow and networks.depth > _DEEPEST:
        reason = (
            f"Under a causal mask that of more than {_DEEPEST} blocks takes long; gradsim.theory.stream computes it."
        )
        return [MeanField(np.nan, np.nan, reason)] * len(found)

    def one(candidate: Candidate) -> MeanField:
        cell = {"depth": networks.depth, "width": networks.width, "sigma_b": candidate.sigma_b}
        return mean_field(cell | candidate.network._asdict() | {"sigma_w": candidate.sigma_w}, networks.activation)

    with ThreadPoolExecutor(resolve_threads(networks.threads)) as pool:  # most of it is in NumPy, without the lock
        return list(pool.map(one, found))


def measure(networks: Networks, candidate: Candidate, theory: MeanField, count: int) -> Growth:
    """Return the growth with an initialisation: its theory, and so many simulated networks."""
    if not count:
        return Growth(theory, None, None)
    kind = candidate.network._asdict()
    initialised: dict[str, Any] = {}
    if PRESETS[candidate.network.preset].law != "gaussian":  # weights of other laws would be drawn one by one
        if not candidate.alike:
            return Growth(theory, None, None)
        kind["preset"], initialised = "none", {"sigma_w": candidate.sigma_w, "sigma_b": candidate.sigma_b}
    options = {name: value for name, value in kind.items() if value != candidate.network._field_defaults[name]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # networks that are not finite are counted
        found = simulate(
            networks.activation, depth=networks.depth, width=networks.width, **initialised, networks=count,
            seed=networks.seed, method="conditional", threads=networks.threads, **options,
        )  # fmt: skip
    reached = found.log_delta[:, -1] != -np.inf
    stream, gradient = found.log_q[:, -1], found.log_gain[reached, 0]
    return Growth(theory, Sample(candidate.sigma_w, count, stream), Sample(candidate.sigma_w, count, gradient))
