"""The recommendation for a network with branches: the std of every matrix, and why these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from gradsim.activations import name_of
from gradsim.errors import SweepError, suggestion
from gradsim.recommendation import branch_text
from gradsim.recommendation.branch_snippets import BranchWeights, branch_snippet
from gradsim.recommendation.candidates import Candidate, candidates
from gradsim.recommendation.measuring import affordable, expect, measure
from gradsim.recommendation.samples import Networks
from gradsim_core.architectures import PRESETS
from gradsim_core.architectures.network import matrix_of, scale_of

TOLERABLE = 0.5
"""Decades by which stream and gradient of a level network may grow over its depth."""

_TYPICAL = 0.5  # share of the networks within a decade


@dataclass(frozen=True)
class BranchRecommendation:
    """How to initialise a network whose branches are added to a stream.

    Attributes
    ----------
    networks
        What was asked for: activation, law, depth, width, and the kind of the network.
    best
        Name of the initialisation to take; of none that is level, the nearest.
    initialisations
        A row each, the preferred first: initialisation, same_as, source, branch_scale, sigma_b; of every kind of
        matrix ``std_<kind>`` in block 1 and ``std_<kind>_last`` in block L. Growth in decades of the norm: ``stream``,
        of x^L over the input, and ``gradient``, of dC/dx from block L to block 1; each ``_theory`` (infinite width),
        the median of simulated networks, and its 95 % interval ``_low``, ``_high``. live_share, dead_fraction,
        nonfinite_fraction, networks; level: both grow by at most half a decade, and half of the networks are within a
        decade; reason, why there is no theory.
    advice
        Sentences: what to know of the numbers.
    """

    networks: Networks
    best: str
    initialisations: pd.DataFrame
    advice: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text()

    @property
    def activation(self) -> str:
        """Name of the activation."""
        return name_of(self.networks.activation)

    @property
    def level(self) -> bool:
        """Whether the initialisation to take keeps stream and gradient level."""
        return bool(self._row()["level"])

    @property
    def verdict(self) -> str:
        """Which to take, and why, as sentences."""
        return branch_text.verdict(self.initialisations, self.best)

    def stds(self, initialisation: str | None = None) -> pd.DataFrame:
        """Return the standard deviations to set.

        Parameters
        ----------
        initialisation
            A name in ``initialisations``; ``best`` by default.

        Returns
        -------
        pandas.DataFrame
            A row per kind of matrix: fan_in; std in every block as ``block_1`` .. ``block_L``.

        Raises
        ------
        SweepError
            For an unknown name.
        """
        found, asked = self._candidate(initialisation), self.networks
        rows = {}
        for kind, sigmas in found.sigmas.items():
            fan_in = matrix_of(asked.network, kind, asked.depth, asked.width).fan_in
            blocks = {f"block_{block}": value for block, value in enumerate(sigmas / fan_in**0.5, 1)}
            rows[kind] = {"fan_in": fan_in} | blocks
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("matrix")

    def snippet(self, framework: str = "pytorch", initialisation: str | None = None) -> str | None:
        """Return code that sets these weights.

        Parameters
        ----------
        framework : {"pytorch", "flax", "keras"}
            Whose. Such networks have code for PyTorch.
        initialisation
            A name in ``initialisations``; ``best`` by default.

        Returns
        -------
        str or None
            None for the other frameworks.

        Raises
        ------
        SweepError
            For an unknown framework or initialisation.
        """
        found, asked = self._candidate(initialisation), self.networks
        stds = self.stds(initialisation).drop(columns="fan_in")
        values = {str(kind): row.tolist() for kind, row in stds.iterrows()}
        scale = scale_of(found.network, asked.depth)
        return branch_snippet(framework, BranchWeights(asked.law, values, found.sigma_b, scale, asked.network.gated))

    def text(self, frameworks: Sequence[str] = ("pytorch",)) -> str:
        """Return all of it as text for people: the std to set first, with the code for some frameworks."""
        code = [code for name in frameworks if (code := self.snippet(name))]
        return branch_text.described(self.networks, self.stds(), self.initialisations, self.best, self.advice, code)

    def to_frame(self) -> pd.DataFrame:
        """Return ``initialisations`` with what was asked for in front, and whether each is the one to take."""
        asked, frame = self.networks, self.initialisations
        kind = {"architecture": asked.network.architecture} | asked.options
        kind.pop("branch_scale", None)
        front: dict[str, Any] = {"activation": self.activation, "law": asked.law, "depth": asked.depth}
        front |= {"width": asked.width} | kind
        return pd.DataFrame({name: [value] * len(frame) for name, value in front.items()}).join(
            frame.assign(best=frame["initialisation"] == self.best)
        )

    @cached_property
    def _candidates(self) -> dict[str, Candidate]:
        asked = self.networks
        found: dict[str, Candidate] = {}
        for each in candidates(asked.network, asked.depth, asked.width):
            found |= dict.fromkeys((each.name, *each.same_as), each)
        return found

    def _candidate(self, name: str | None) -> Candidate:
        chosen = self.best if name is None else name
        if chosen not in self._candidates:
            allowed = f"one of {', '.join(self._candidates)}"
            raise SweepError("initialisation", name, allowed, suggestion(name, self._candidates))
        return self._candidates[chosen]

    def _row(self) -> pd.Series:
        return branch_text.row_of(self.initialisations, self.best)


def compare_branches(networks: Networks) -> BranchRecommendation:
    """Return the recommendation for a network with branches."""
    count, rows = affordable(networks), []
    known = candidates(networks.network, networks.depth, networks.width)
    for each, theory in zip(known, expect(networks, known, count > 0), strict=True):
        row = _described(networks, each) | measure(networks, each, theory, count).row()
        rows.append(row | {"level": _is_level(row)})
    frame = pd.DataFrame(rows)
    place = int(np.flatnonzero(frame["level"])[0]) if frame["level"].any() else int(np.argmin(_distance(frame)))
    found = BranchRecommendation(networks, str(frame["initialisation"].iloc[place]), frame)
    return replace(found, advice=tuple(_remarks(networks, count, frame)))


def _described(networks: Networks, candidate: Candidate) -> dict[str, Any]:
    """What an initialisation is, without how it does."""
    found: dict[str, Any] = {
        "initialisation": candidate.name,
        "same_as": ", ".join(candidate.same_as),
        "source": PRESETS[candidate.network.preset].source,
        "branch_scale": scale_of(candidate.network, networks.depth),
        "sigma_b": candidate.sigma_b,
    }
    for kind, sigmas in candidate.sigmas.items():
        root = matrix_of(networks.network, kind, networks.depth, networks.width).fan_in ** 0.5
        found |= {f"std_{kind}": sigmas[0] / root, f"std_{kind}_last": sigmas[-1] / root}
    return found


def _is_level(row: dict[str, Any]) -> bool:
    """Whether stream and gradient are level, by simulation, or by theory where that is alone."""
    simulated = row["networks"] > 0
    ends = [row[name if simulated else f"{name}_theory"] for name in ("stream", "gradient")]
    return all(abs(end) <= TOLERABLE for end in ends) and (not simulated or row["live_share"] >= _TYPICAL)


def _distance(frame: pd.DataFrame) -> pd.Series:
    """The larger of the two changes, in decades; infinite where one is not known."""
    known = [frame[name].fillna(frame[f"{name}_theory"]).abs() for name in ("stream", "gradient")]
    return pd.concat(known, axis=1).max(axis=1, skipna=False).fillna(np.inf)


def _remarks(networks: Networks, count: int, frame: pd.DataFrame) -> list[str]:
    """What a user should know of the numbers."""
    network, remarks = networks.network, []
    if not count:
        remarks.append("Theory of infinite width alone: networks of this size take too long to simulate.")
    if networks.law != "gaussian":
        remarks.append(
            f"Simulated with Gaussian weights of the same standard deviation: {networks.law} ones differ by 1/width."
        )
    if network.architecture == "transformer" and network.normalisation == "none":
        remarks.append('This transformer has no norm; most have: normalisation="layer" or "rms", placement="pre".')
    for reason, rows in frame.dropna(subset="reason").groupby("reason", sort=False):
        whose = "" if len(rows) == len(frame) else f" for {'; '.join(rows['initialisation'])}"
        remarks.append(f"No theory{whose}: {reason}")
    return remarks
