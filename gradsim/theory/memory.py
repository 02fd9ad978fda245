"""Results that theory keeps: an activation's, as long as its functions compute what they did."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from gradsim.activations import find_activation
from gradsim_core.activations import Activation

Function = TypeVar("Function", bound=Callable[..., Any])

_MOST = 64  # own activations
_caches: list[Any] = []
_digests: dict[Activation, str] = {}


def kept(most: int) -> Callable[[Function], Function]:
    """`functools.lru_cache` for functions of an activation, emptied by `current`."""

    def decorate(function: Function) -> Function:
        cached: Any = lru_cache(maxsize=most)(function)
        _caches.append(cached)
        return cached  # type: ignore[no-any-return]

    return decorate


def current(activation: str | Activation) -> Activation:
    """Return the activation as `find_activation`; forget all results if a value that its functions use has changed."""
    found = find_activation(activation)
    if found.built_in:
        return found
    try:
        text = found.digest.text
    except TypeError:  # nothing to compare
        text = ""
    full = found not in _digests and len(_digests) >= _MOST
    if full or _digests.get(found, text) != text:
        _digests.clear()
        for cached in _caches:
            cached.cache_clear()
    _digests[found] = text
    return found
