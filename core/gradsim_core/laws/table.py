"""The weight laws: one block each, and the table that everything else iterates.

A block makes four columns of weights from the random words of one counter, or of two side by side (`draws`), already
scaled to the standard deviation `scale` = spread sigma_w / sqrt(fan_in). The entries of an orthogonal matrix are not
independent: that law has no such block, its reflections are in `orthogonal`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from gradsim_core import jit
from gradsim_core.elementary import by_precision, log
from gradsim_core.elementary import coefficients as c
from gradsim_core.lanes import LANES, fma, horner, join, select, splat, to_float
from gradsim_core.names import resolve
from gradsim_core.parameters import Params
from gradsim_core.rng.normals import four_normals, four_scaled
from gradsim_core.rng.philox import ROLE_MASK, random_words, stream, two_counters

_UNIT = 2.0**-32
_SQRT_12 = 3.4641016151377544
_ERF_SQRT_2 = 0.9544997361036416
# Standard deviation of a standard normal cut at +-2.
_TRUNCATED_STD = 0.8796256610342398


def gaussian(a, b, c, d, counter, scale):
    """N(0, scale^2)."""
    return four_scaled(a, b, c, d, scale)


def standard(a, b, c, d, counter, like):
    """N(0, 1), in the precision of `like`."""
    return four_normals(a, b, c, d, like)


def _uniform_from(word, scale):
    """An odd multiple of 2^-32 in (-1/2, 1/2), spread to standard deviation `scale`."""
    return (to_float(word | 1, scale) * _UNIT) * (scale * _SQRT_12)


def uniform(a, b, c, d, counter, scale):
    """Uniform on +-sqrt(3) scale."""
    return _uniform_from(a, scale), _uniform_from(b, scale), _uniform_from(c, scale), _uniform_from(d, scale)


def _quantile_32(w):
    return horner(w, c.TRUNCATED_32)


def _quantile_64(w):
    return horner(w, c.TRUNCATED_64)


_quantile = by_precision(_quantile_32, _quantile_64)


def _truncated_from(word, scale):
    x = to_float(word | 1, scale) * (2 * _UNIT)
    cut = x * _ERF_SQRT_2
    return x * _quantile(-log(fma(cut, -cut, splat(x, 1.0)))) * (scale / _TRUNCATED_STD)


def truncated_normal(a, b, c, d, counter, scale):
    """A normal cut at +-2 of its standard deviations, by its quantile function, rescaled to `scale`."""
    return _truncated_from(a, scale), _truncated_from(b, scale), _truncated_from(c, scale), _truncated_from(d, scale)


def _sign_from(word, scale):
    return select(word < 0, splat(to_float(word, scale), -scale), scale)


def rademacher(a, b, c, d, counter, scale):
    """+-scale with equal chance."""
    return _sign_from(a, scale), _sign_from(b, scale), _sign_from(c, scale), _sign_from(d, scale)


def _kept(word, parameter):
    """True with probability `parameter`, decided in exact arithmetic on 31 bits."""
    return (word & 0x7FFFFFFF) <= int(parameter * 2147483648.0) - 1


def _masks_one(like, counter):
    cell, network, layer, _ = counter.source
    return random_words(cell.key, network, layer, ROLE_MASK, counter.index)


def _masks_two(like, counter):
    cell, network, layer, _ = counter.source
    mask_stream, index = stream(layer, ROLE_MASK), counter.index
    a, b, c, d, e, f, g, h = two_counters(cell.key, network, mask_stream, index, mask_stream, index + counter.step)
    return join(a, e), join(b, f), join(c, g), join(d, h)


def masks(like, counter):
    """Random words beside those that make the weights, for as many lanes."""
    return (_masks_one if len(like) == LANES else _masks_two)(like, counter)


vars(masks)["choose"] = lambda types: _masks_one if types[0].count == LANES else _masks_two


def sparse(a, b, c, d, counter, scale):
    """Each normal weight is kept with the cell's probability, else 0."""
    w0, w1, w2, w3 = gaussian(a, b, c, d, counter, scale)
    a, b, c, d = masks(a, counter)
    kept = counter.source.cell.law_parameter
    return (
        select(_kept(a, kept), w0, 0.0),
        select(_kept(b, kept), w1, 0.0),
        select(_kept(c, kept), w2, 0.0),
        select(_kept(d, kept), w3, 0.0),
    )


@dataclass(frozen=True)
class WeightLaw:
    """A law of the weights, of variance sigma_w^2 / fan_in.

    Parameters
    ----------
    name : str
        Name, with the parameter in brackets where there is one: ``"sparse(0.1)"``.
    draw : callable or None
        Four columns of 16 weights of one counter; None for the orthogonal law.
    value, parameter, accepts, allowed : float, str, callable, str
        The parameter's value (in the table its default) and name, which finite values it takes, and the same in words.
    spread : float
        Standard deviation of a drawn number before thinning, in units of the wanted one; in the table it may be a
        function of the parameter.
    has_zeros : bool
        Whether entries can be zero, so that elements of a vector need not mix (see `scaling.per_element`).
    conditional : bool
        Whether W can be sampled given what was seen of it (see `conditional`).
    formula : str
        For the documentation.
    """

    OF_PARAMETER: ClassVar = ("spread",)

    name: str
    draw: Callable | None
    value: float = 0.0
    parameter: str | None = None
    accepts: Callable[[float], bool] = math.isfinite
    allowed: str = "any finite number"
    spread: Any = 1.0
    has_zeros: bool = False
    conditional: bool = False
    formula: str = ""

    def deviation(self, cell: Params) -> float:
        """Standard deviation of the numbers that `draw` makes; sigma_w itself for the orthogonal law."""
        return cell.sigma_w * (1.0 if self.draw is None else float(self.spread) / math.sqrt(cell.width))


LAWS: dict[str, WeightLaw] = {
    law.name: law
    for law in (
        WeightLaw("gaussian", gaussian, conditional=True, formula="N(0, s^2)"),
        WeightLaw("uniform", uniform, formula="uniform on +-sqrt(3) s"),
        WeightLaw("truncated_normal", truncated_normal, formula="normal cut at +-2, rescaled to s"),
        WeightLaw("rademacher", rademacher, formula="+-s"),
        WeightLaw("orthogonal", None, conditional=True,
                  formula="sigma_w times a Haar-distributed orthogonal matrix"),
        WeightLaw("sparse", sparse, value=0.1, parameter="density", accepts=lambda density: 2.0**-31 <= density <= 1,
                  allowed="a number from 2^-31 to 1", spread=lambda density: density**-0.5, has_zeros=True,
                  formula="N(0, s^2/density) kept with probability density, else 0"),
    )
}  # fmt: skip


def resolve_law(law: str | WeightLaw) -> WeightLaw:
    """The weight law of a name such as ``"gaussian"`` or ``"sparse(0.1)"``.

    Raises
    ------
    ValueError
        Unknown name or parameter: says what was got, the nearest name and what is allowed.
    """
    name, found = resolve(getattr(law, "name", law), LAWS, "weight law", "value")
    return found if found.parameter is None else replace(found, name=f"{name}({found.value:.12g})")


jit.register_leaves(__name__, inline=True)
