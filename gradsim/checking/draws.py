"""Whether networks are drawn anew by each seed, and whether an instance was drawn as its copies are."""

from __future__ import annotations

from typing import Any

from gradsim.checking.weights import Moments
from gradsim.errors import SweepError

_FEW = 16  # distinct entries of a matrix that is the same by intent: the identity, Hadamard's


def check_seeds(model: Any, moments: dict[str, Moments], states: list[Any]) -> None:
    """Raise if two networks of different seeds are the same.

    Parameters
    ----------
    model
        One of them.
    moments
        By parameter, of the two.
    states
        Of PyTorch's generator, after each was made.
    """
    if not all(one.same for one in moments.values()):
        return
    remedy = "Every seed gives the same network, so nothing can be said over seeds: let {} in each call"
    if states[0].equal(states[1]):
        value, allowed = "a factory that sets PyTorch's seed", "a factory that leaves the seed to gradsim"
        raise SweepError("model", value, allowed, remedy.format("it draw, without torch.manual_seed,"))
    if any(parameter.detach().flatten()[:10_000].unique().numel() > _FEW for parameter in model.parameters()):
        value, allowed = "parameters that are equal in all networks", "parameters that PyTorch's generator draws"
        raise SweepError("model", value, allowed, remedy.format("the factory, or init=, draw new ones"))
