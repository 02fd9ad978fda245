"""The table of weight laws, and one function per law that draws from it.

A function `draw(a, b, c, d, counter, scale)` makes four vectors of weights (four columns) from the four vectors of
random words of one counter, or twice as many lanes from two counters (see `rng.draws`). `scale` is the standard
deviation of the numbers drawn, spread sigma_w / sqrt(fan_in). The entries of an orthogonal matrix are not independent,
so that law has no such function; its reflections are in `orthogonal`.
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
    """Uniform numbers of standard deviation `scale`: odd multiples of 2^-32 in (-1/2, 1/2), rescaled."""
    return (to_float(word | 1, scale) * _UNIT) * (scale * _SQRT_12)


def uniform(a, b, c, d, counter, scale):
    """Uniform on (-sqrt(3) scale, sqrt(3) scale)."""
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
    """A normal truncated at +-2 of its standard deviations, rescaled to `scale`; by its quantile function."""
    return _truncated_from(a, scale), _truncated_from(b, scale), _truncated_from(c, scale), _truncated_from(d, scale)


def _sign_from(word, scale):
    return select(word < 0, splat(to_float(word, scale), -scale), scale)


def rademacher(a, b, c, d, counter, scale):
    """+scale or -scale with equal probability."""
    return _sign_from(a, scale), _sign_from(b, scale), _sign_from(c, scale), _sign_from(d, scale)


def _kept(word, density):
    """True with probability `density`, rounded to a multiple of 2^-31."""
    return (word & 0x7FFFFFFF) <= int(density * 2147483648.0) - 1


def _masks_one(like, counter):
    cell, network, layer, _ = counter.source
    return random_words(cell.key, network, layer, ROLE_MASK, counter.index)


def _masks_two(like, counter):
    cell, network, layer, _ = counter.source
    mask_stream, index = stream(layer, ROLE_MASK), counter.index
    a, b, c, d, e, f, g, h = two_counters(cell.key, network, mask_stream, index, mask_stream, index + counter.step)
    return join(a, e), join(b, f), join(c, g), join(d, h)


def masks(like, counter):
    """Random words that say which weights are kept, independent of those that make them; as many lanes as `like`."""
    return (_masks_one if len(like) == LANES else _masks_two)(like, counter)


vars(masks)["choose"] = lambda types: _masks_one if types[0].count == LANES else _masks_two


def sparse(a, b, c, d, counter, scale):
    """N(0, scale^2) with probability `law_parameter` of the cell, else 0."""
    w0, w1, w2, w3 = gaussian(a, b, c, d, counter, scale)
    a, b, c, d = masks(a, counter)
    density = counter.source.cell.law_parameter
    return (
        select(_kept(a, density), w0, 0.0),
        select(_kept(b, density), w1, 0.0),
        select(_kept(c, density), w2, 0.0),
        select(_kept(d, density), w3, 0.0),
    )


@dataclass(frozen=True)
class WeightLaw:
    """A row of the table: a distribution of the weights, of variance sigma_w^2 / fan_in.

    Parameters
    ----------
    name : str
        Name, with the parameter in brackets where there is one: ``"sparse(0.1)"``.
    draw : callable or None
        Makes four columns of 16 weights (see the module); None for the orthogonal law.
    value : float
        Value of the parameter; in the table its default.
    parameter : str or None
        Name of the parameter, if there is one.
    accepts : callable
        Which finite values of the parameter are allowed.
    allowed : str
        The same in words, for errors.
    spread : float
        Standard deviation of a normal weight before some are set to zero, relative to that of the law; 1 for laws
        without zeros. In the table it may be a function of the parameter.
    has_zeros : bool
        Whether weights can be zero, so that a layer need not mix the elements of a vector (see `scaling.per_element`).
    conditional : bool
        Whether the conditional method can sample it (see `schedules.conditional`).
    formula : str
        For the documentation; s is sigma_w / sqrt(fan_in).
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
        """Standard deviation `scale` of the numbers that `draw` makes for a cell; sigma_w for the orthogonal law."""
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
    """The weight law with a name such as ``"gaussian"`` or ``"sparse(0.1)"``; a `WeightLaw` is looked up by its name.

    Raises
    ------
    ValueError
        Unknown name, or a parameter that is not allowed. Names the value, the nearest name and what is allowed.
    """
    name, found = resolve(getattr(law, "name", law), LAWS, "weight law", "value")
    return found if found.parameter is None else replace(found, name=f"{name}({found.value:.12g})")


jit.register_leaves(__name__, inline=True)
