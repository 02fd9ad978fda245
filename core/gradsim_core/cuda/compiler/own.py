"""A user's own pair on GPUs: the vector functions that kernels take, and in a sentence what cannot run there."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from gradsim_core import jit
from gradsim_core.activations import Activation, own

from .scalars import allowed
from .text import ptx_text

_CAPABILITY = 9, 0  # any: processors differ in the header of a text alone


def functions(activation: Activation) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """phi and dphi as vector functions (h, alpha), of which kernels for GPUs are built; of a row of the table its own.

    A user's functions run lane by lane, by the text that runs them on the CPU: this target compiles them itself, and
    what they call. A kernel contains the values that they see, so whoever keeps it keeps it by `activation.digest`.
    """
    if activation.built_in:
        return activation.phi, activation.dphi
    return _by_lane(activation, activation.digest.text)


@jit.once
def _by_lane(activation: Activation, digest: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return own.by_lane(activation.phi, f"phi_{digest}"), own.by_lane(activation.dphi, f"dphi_{digest}")


def check_compiles_for_gpu(activation: Activation) -> None:
    """Compile both functions of a user's pair by themselves, to PTX.

    Raises
    ------
    TypeError
        If a function cannot run on GPUs: says which, why, and what to write.
    """
    own.check_compiles(activation)
    for name in ("phi", "dphi"):
        reason = _refusal(getattr(activation, name))
        if reason:
            raise TypeError(
                f"{name} of activation {activation.name!r} cannot run on GPUs: {reason}. Write it with operators, "
                f"conditions and these functions of the math module: {', '.join(allowed())}. Or compute on the CPU."
            )


@jit.once
def _refusal(function: Any) -> str | None:
    from numba.core import errors, types

    scalar, array = own.compilable(function, "checked_for_gpu"), types.Array(types.float64, 1, "C")

    def kernel(h: Any) -> None:
        h[0] = float(scalar(float(h[0])))

    try:
        ptx_text(kernel, (array,), _CAPABILITY)
    except (errors.NumbaError, NotImplementedError, TypeError, KeyError, RuntimeError) as error:
        return _sentence(error)
    return None


def _sentence(error: Exception) -> str:
    """The reason in an error: a sentence of the target, which stands deep in what Numba says, or Numba's own."""
    told = re.search(r"'[\w.<>]+' [^\n]* on GPUs", str(error))
    if told:
        return told[0]
    reason = own.shortened(error)
    if "NRT" in str(error) or "Only accept returning of array" in str(error):
        maker = re.search(r"<(?:built-in )?function (\w+)", reason)
        return f"{repr(maker[1]) if maker else 'it'} makes an array, a list or a text, for which GPUs have no memory"
    return reason
