"""What `recommend` is asked for, checked: the networks that it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradsim.activations import check_law
from gradsim.errors import SweepError, suggestion
from gradsim.recommendation.samples import Networks
from gradsim.recommendation.snippets import BY_STD
from gradsim.sweep import Sweep
from gradsim.sweep.networks import NetworkOptions
from gradsim_core.activations import Activation
from gradsim_core.architectures import PLAIN
from gradsim_core.architectures.network import matrix_of
from gradsim_core.architectures.presets import HIDDEN
from gradsim_core.laws import resolve_law
from gradsim_core.tapes.schedule import may_run

_KNOWN = tuple(NetworkOptions.__annotations__)
_TOKENS, _EXAMPLES, _HEAD = 8, 32, 64  # tokens or positions, examples of a batch, and numbers of a head by default


def has_branches(networks: Networks) -> bool:
    """Whether the network is a stream to which branches are added."""
    return matrix_of(networks.network, HIDDEN, networks.depth, networks.width).branches > 0


def networks_of(
    activation: str | Activation, shape: tuple[int, int], sigma_b: float, law: str, network: Mapping[str, Any],
    **options: Any,
) -> Networks:  # fmt: skip
    """Return the networks that are asked for; ``shape`` is depth and width, ``options`` seed and threads.

    Raises
    ------
    SweepError
        For a value that is not allowed, and what makes no sense together.
    """
    depth, width = shape
    _check_names(network)
    if network.get("preset", PLAIN.preset) != PLAIN.preset:
        allowed = "left out: recommend compares the presets that the network can have"
        raise SweepError("preset", network["preset"], allowed, "Leave it out, or measure it with gradsim.simulate")
    chosen = _defaults(network, width) | dict(network)
    plain = all(value == getattr(PLAIN, name, None) for name, value in chosen.items())
    named = law if plain else check_law("law", law)
    sweep = Sweep(
        activation=activation, sigma_w=1.0, sigma_b=sigma_b, depth=depth, width=width, networks=1,
        seed=options["seed"], law=law if plain else "gaussian", **chosen,
    )  # fmt: skip
    if sweep.cell_count != 1:
        raise SweepError("cells", sweep.cell_count, "one network", "Give one value for each parameter")
    cell = sweep.cells()[0]
    if cell.depth == 1:
        raise SweepError("depth", 1, "a whole number >= 2", "A network of depth 1 has gain 1 whatever sigma_w is")
    physics = cell.law if plain else named, cell.sigma_b, cell.depth, cell.width
    found = Networks(activation, *physics, sweep.seed, options["threads"], cell.network)
    if not plain:
        _check_law(found)
    return found


def _check_names(network: Mapping[str, Any]) -> None:
    """Refuse keys that are none of a network's, and layers, whose depth and width are given."""
    for name, value in network.items():
        if name not in _KNOWN:
            raise SweepError(name, value, f"one of the keys {', '.join(_KNOWN)}", suggestion(name, _KNOWN))
        if name == "layers" and value != PLAIN.layers:
            raise SweepError(name, value, "left out: recommend is of layers of one width", "Give depth and width")


def _defaults(network: Mapping[str, Any], width: object) -> dict[str, Any]:
    """What is taken for a network that does not say it: an attention of one token, say, is none."""
    if network.get("architecture") == "transformer":
        heads = width // _HEAD if isinstance(width, int) and width % _HEAD == 0 else 1
        return {"inputs": _TOKENS, "heads": max(heads, 1)}
    if network.get("normalisation") == "batch":
        return {"inputs": _EXAMPLES}
    return {"inputs": _TOKENS} if network.get("architecture") == "convolution" else {}


def _check_law(networks: Networks) -> None:
    """Refuse laws, and biases, that such networks cannot have here."""
    architecture, law = networks.network.architecture, resolve_law(networks.law)
    if not has_branches(networks):
        if not may_run(law, "explicit"):
            allowed = "a law of independent entries, none of them zero, unless the network is plain with one input"
            raise SweepError("law", networks.law, allowed, 'Write law = "gaussian"')
        return
    if law.name not in BY_STD:
        allowed = f"for {architecture} networks one of {', '.join(BY_STD)}"
        raise SweepError("law", networks.law, allowed, 'Write law = "gaussian"')
    if networks.sigma_b:
        allowed = f"0 for {architecture} networks: each initialisation has biases of its own"
        raise SweepError("sigma_b", networks.sigma_b, allowed, "Leave it out")
