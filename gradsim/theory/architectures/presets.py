"""Standard deviations of all matrices of a network, by the name of an initialisation."""

from __future__ import annotations

from gradsim.errors import SweepError, suggestion
from gradsim.theory.errors import check_count, check_number
from gradsim_core.architectures import ARCHITECTURES, PRESETS, Network
from gradsim_core.architectures.network import sigma_of


def preset_sigmas(
    preset: str, architecture: str, depth: int, width: int, expansion: float = 0.0, taps: int = 3
) -> dict[str, float | list[float]]:
    """Return sigma_w of each kind of matrix, as `stream` takes it.

    Parameters
    ----------
    preset
        Name of an initialisation, as a `Sweep` takes it.
    architecture
        As a `Sweep` takes it. `stream` knows plain, residual, residual2 and transformer; recurrent networks and
        convolutions have the mean field of plain ones.
    depth, width
        Number of blocks; neurons of the stream.
    expansion
        Neurons between the two matrices of a branch, in widths; 0 for what is usual.
    taps
        Positions that a convolution sees.

    Returns
    -------
    dict
        The standard deviation times sqrt(fan_in) by the kind of a matrix: ``hidden``, ``queries`` (and keys),
        ``values``, ``attention``, ``up``, ``down``; a list of one for each block where blocks differ.

    Raises
    ------
    SweepError
        For an unknown name, ``"critical"``, which depends on the activation, or a preset without a meaning there.

    Examples
    --------
    >>> sigmas = preset_sigmas("gpt2", "transformer", depth=12, width=768)
    >>> {kind: round(sigma, 4) for kind, sigma in sigmas.items()}
    {'queries': 0.5543, 'values': 0.5543, 'attention': 0.1131, 'up': 0.5543, 'down': 0.2263}
    """
    if architecture not in ARCHITECTURES:
        allowed = f"one of {', '.join(ARCHITECTURES)}"
        raise SweepError("architecture", architecture, allowed, suggestion(architecture, ARCHITECTURES))
    fitting = [
        row.name for row in PRESETS.values() if row.sigma and architecture in (row.architectures or ARCHITECTURES)
    ]
    if preset == "critical":
        allowed = "a preset that is the same for all activations"
        raise SweepError("preset", preset, allowed, "Take sigma_w from gradsim.theory.boundary")
    if preset not in fitting:
        allowed = f"for {architecture} networks one of {', '.join(fitting)}"
        raise SweepError("preset", preset, allowed, suggestion(preset, fitting))
    depth, width = check_count("depth", depth), check_count("width", width)
    expansion, taps = check_number("expansion", expansion, "a number >= 0", 0.0), check_count("taps", taps)
    network = Network(architecture, preset=preset, expansion=expansion, taps=taps)
    blocks = range(1, depth + 1) if PRESETS[preset].by_block else range(1, 2)
    found = {
        kind: [float(sigma_of(network, kind, depth, width, block) or 0.0) for block in blocks]
        for kind in ARCHITECTURES[architecture].matrices
    }
    return {kind: each if len(each) > 1 else each[0] for kind, each in found.items()}
