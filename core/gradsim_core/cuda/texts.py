"""The texts of all kernels for GPUs: which kernels run a schedule, and their PTX, kept in memory and on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any, NamedTuple

from gradsim_core import jit
from gradsim_core.activations import Activation
from gradsim_core.caching.digest import digest
from gradsim_core.caching.files import read_checked, write_checked
from gradsim_core.caching.folder import cache_directory, warn_once
from gradsim_core.laws import WeightLaw
from gradsim_core.results.quantities import QUANTITIES
from gradsim_core.scaling.per_vector import no_tail
from gradsim_core.schedules.table import Schedule

from .compiler import own
from .interface import GpuError
from .kernels import conditional, explicit, finish, reduction, whole


class Route(NamedTuple):
    """How a GPU runs the networks of a schedule of the CPU. What no kernel here can do, the CPU does.

    Attributes
    ----------
    fast
        Module of the kernel for independent entries and the ordinary range; None if there is none.
    whole
        Whether the schedule as it is runs the groups that the fast kernel has marked, or all.
    side_by_side
        Whether a thread is a network; else sixteen threads are one.
    """

    fast: ModuleType | None
    whole: bool
    side_by_side: bool

    def runs_fast(self, law: WeightLaw) -> bool:
        """Whether the fast kernel serves a weight law."""
        return self.fast is not None and law.draw is not None

    def runs(self, law: WeightLaw) -> bool:
        """Whether any kernel does."""
        return self.whole or self.runs_fast(law)


ROUTES = {
    "narrow": Route(None, whole=True, side_by_side=True),
    "explicit": Route(explicit, whole=False, side_by_side=False),
    "conditional": Route(conditional, whole=True, side_by_side=True),
}
"""By the schedule's name."""

_CPU_ALONE = Route(None, whole=False, side_by_side=True)


def route_of(schedule: Schedule) -> Route:
    """Return how a GPU runs a schedule; one that has no row runs on the CPU."""
    return ROUTES.get(schedule.name, _CPU_ALONE)


class Family(NamedTuple):
    """What the kernels of a cell are built from."""

    activation: Activation
    law: WeightLaw
    schedule: Schedule
    digest: str
    """Of what the activation and the law compute with: a user's functions may see other values later."""

    @staticmethod
    def of(activation: Activation, law: WeightLaw, schedule: Schedule) -> Family:
        """Of a row of the tables, or a user's own activation."""
        return Family(
            activation, law, schedule, _digest(activation, law) if activation.built_in else activation.digest.text
        )

    def functions(self) -> tuple[Any, ...]:
        """Phi, phi' and the logarithms of their tails."""
        row = self.activation
        return *own.functions(row), row.log_phi or no_tail, row.log_dphi or no_tail


@cache
def _digest(row: Activation, law: WeightLaw) -> str:
    return digest(phi=row.phi, dphi=row.dphi, log_phi=row.log_phi, log_dphi=row.log_dphi, draw=law.draw).text


CAPABILITIES = (7, 0), (7, 5), (8, 0), (9, 0)
"""Compute capabilities for which there are texts, alike but for their headers; later GPUs take the last."""


def target_of(capability: tuple[int, int]) -> tuple[int, int]:
    """The text's capability for a GPU's.

    Raises
    ------
    GpuError
        If the GPU is too old.
    """
    if capability < CAPABILITIES[0]:
        raise GpuError("missing", f"The GPU is too old: compute capability {_shown(capability)}. "
                                  f"{_shown(CAPABILITIES[0])} (Volta, 2017) or later is needed.")  # fmt: skip
    return max(each for each in CAPABILITIES if each <= capability)


def _shown(capability: tuple[int, int]) -> str:
    return "{}.{}".format(*capability)


def fast_text(family: Family, arguments: tuple[Any, ...], capability: tuple[int, int]) -> str:
    """PTX of the fast kernel, for arguments of these Numba types."""
    return _text("fast", family, arguments, capability)


def whole_text(family: Family, arguments: tuple[Any, ...], capability: tuple[int, int]) -> str:
    """PTX of the schedule as it is."""
    return _text("whole", family, arguments, capability)


def common_text(name: str, arguments: tuple[Any, ...], capability: tuple[int, int]) -> str:
    """PTX of a kernel that serves all cells: "finish", "sum" or "count"."""
    return _common(name, tuple(QUANTITIES.values()), arguments, capability)


@jit.once
def _text(kind: str, family: Family, arguments: tuple[Any, ...], capability: tuple[int, int]) -> str:
    activation, law, schedule, content = family
    identity = f"{kind} {schedule.name} {law.name} {content}"

    def build() -> Callable[..., None]:
        functions, fast = family.functions(), route_of(schedule).fast
        if kind == "fast" and fast is not None:
            return fast.build(*functions, law)  # type: ignore[no-any-return]
        return whole.build(schedule.build(*functions, law), f"{activation.name}_{law.name}_{schedule.name}_{content}")

    return _kept(identity, build, arguments, capability)


@jit.once
def _common(name: str, rows: tuple[Any, ...], arguments: tuple[Any, ...], capability: tuple[int, int]) -> str:
    if name == "finish":
        formulas = digest(**{row.name: row.formula for row in rows}).text
        return _kept(f"finish {formulas}", finish.build, arguments, capability)
    kernel = {"sum": reduction.sum_kernel, "count": reduction.count_kernel}[name]
    return _kept(name, lambda: kernel, arguments, capability)


def _kept(identity: str, build: Callable[[], Any], arguments: tuple[Any, ...], capability: tuple[int, int]) -> str:
    """A text from the folder of kernels, or made and put there."""
    capability = target_of(capability)
    facts = repr((_versions(), identity, list(map(str, arguments)), capability))
    folder = cache_directory()
    path = folder and folder / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.ptx"
    found = read_checked(path) if path else None
    if found is not None:
        return found.decode()
    from .compiler.text import ptx_text

    text = ptx_text(build(), arguments, capability)
    if path:
        try:
            write_checked(path, text.encode())
        except OSError as error:
            warn_once(f"{path.parent}: {error.strerror or error}")
    return text


@cache
def _versions() -> tuple[str, ...]:
    import llvmlite
    import numba

    return numba.__version__, llvmlite.__version__
