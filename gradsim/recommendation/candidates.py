"""The initialisations that a network with branches can have: presets, and branches that are scaled down."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradsim.sweep.cells import round12
from gradsim_core.architectures import ARCHITECTURES, PLAIN, PRESETS, Network
from gradsim_core.architectures.network import matrix_of, scale_of, sigma_of

OWN = "depth_scaled"
"""The preset that gradsim suggests: what ends a branch has 1/sqrt(branches) of what it has elsewhere."""

_SCALED, _DEEPNORM = "xavier_normal", "deepnorm"
_MOST_ADDED = 4.0  # squares of branch scales, over all branches, from which matrices must be scaled as well
_DIGITS = 9


class Candidate(NamedTuple):
    """An initialisation of a network.

    Attributes
    ----------
    name
        The preset, and the branch scale if it is not the one asked for.
    same_as
        Presets that give the same standard deviations.
    network
        With the preset and the branch scale.
    sigmas
        (blocks,) standard deviations times sqrt(fan_in), by the kind of a matrix.
    sigma_b
        Standard deviation of the biases.
    """

    name: str
    same_as: tuple[str, ...]
    network: Network
    sigmas: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]
    sigma_b: float

    @property
    def sigma_w(self) -> float:
        """Of the first matrix of block 1, at the digits of a sweep."""
        return round12(float(next(iter(self.sigmas.values()))[0]))

    @property
    def alike(self) -> bool:
        """Whether all matrices have one sigma."""
        return bool(np.ptp(list(self.sigmas.values())) == 0.0)


def branches_of(network: Network, depth: int, width: int) -> int:
    """How many branches a network adds to its stream."""
    return matrix_of(network, ARCHITECTURES[network.architecture].matrices[0], depth, width).branches


def candidates(network: Network, depth: int, width: int) -> list[Candidate]:
    """Return the initialisations of a network, each once, in the order in which they are preferred if level.

    Parameters
    ----------
    network
        With branches, and without a preset.
    depth, width
        Its shape.
    """
    made = [_candidate(name, each, depth, width) for name, each in _named(network, depth, width)]
    found: dict[tuple[object, ...], Candidate] = {}
    for each in made:
        values = np.round(list(each.sigmas.values()), _DIGITS).tobytes()
        key = values, round(each.sigma_b, _DIGITS), scale_of(each.network, depth)
        first = found.setdefault(key, each)
        if first is not each:
            found[key] = first._replace(same_as=(*first.same_as, each.name))
    return list(found.values())


def _named(network: Network, depth: int, width: int) -> list[tuple[str, Network]]:
    """All initialisations by name: those that are scaled to the depth first."""
    count = branches_of(network, depth, width)
    default, square = network.branch_scale == PLAIN.branch_scale, scale_of(network, depth) ** 2
    fitting = [row.name for row in PRESETS.values() if network.architecture in (row.architectures or ARCHITECTURES)]
    presets = [name for name in fitting if PRESETS[name].sigma and name not in (OWN, _DEEPNORM)]
    own = (OWN, network._replace(preset=OWN))
    rest = [(name, network._replace(preset=name)) for name in presets]
    if divides_branches(network):  # what ends a branch drops out
        return [_scaled(network, count), *rest] if default else [*rest, own]
    deep = []
    if network.placement == "post" and network.normalisation != "none" and _DEEPNORM in fitting:
        deep = [(_DEEPNORM, network._replace(preset=_DEEPNORM))]
        if default:
            deep = [(f"{_DEEPNORM}, (2 L)^(-1/4)", network._replace(preset=_DEEPNORM, branch_scale="deepnorm"))]
    if default:
        return [*deep, own, _scaled(network, count), *rest]
    first = (_SCALED, network._replace(preset=_SCALED))
    ordered = [own, first] if count * square > _MOST_ADDED else [first, own]
    return [*deep, *ordered, *(each for each in rest if each[0] != _SCALED)]


def divides_branches(network: Network) -> bool:
    """Whether a norm on the output of every branch divides out what its last matrix has."""
    return network.placement in ("sandwich", "output") and network.normalisation not in ("none", "dyt")


def _scaled(network: Network, count: int) -> tuple[str, Network]:
    """Xavier's, with all branches scaled down: by 1/sqrt(L), or in a transformer by 1/sqrt(2 L)."""
    scale = float(f"{count**-0.5:.12g}")
    label = "1/sqrt(2 L)" if network.architecture == "transformer" else "1/sqrt(L)"
    return f"{_SCALED}, {label}", network._replace(preset=_SCALED, branch_scale=scale)


def _candidate(name: str, network: Network, depth: int, width: int) -> Candidate:
    preset, kinds = PRESETS[network.preset], ARCHITECTURES[network.architecture].matrices
    blocks = range(1, depth + 1) if preset.by_block else range(1, 2)
    sigmas = {
        kind: np.resize([sigma_of(network, kind, depth, width, block) for block in blocks], depth).astype(np.float64)
        for kind in kinds
    }
    return Candidate(name, (), network, sigmas, preset.sigma_b(matrix_of(network, kinds[0], depth, width)))
