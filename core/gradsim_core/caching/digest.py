"""A digest of everything that functions compute with: their code, and every value and function that the code uses.

Values are taken by their content, never by a shortened or formatted text. Functions of the standard library, NumPy,
SciPy and Numba are taken by their name. Whatever has no content that can be compared is refused.
"""

from __future__ import annotations

import builtins
import dis
import hashlib
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

_LIBRARIES = {*sys.stdlib_module_names, "numba", "numpy", "scipy"}
_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, type(Ellipsis), type(NotImplemented))
_ALLOWED = "numbers, text, NumPy arrays, tuples, lists, dictionaries and functions"


class Digest(NamedTuple):
    """SHA-256 in hex, and the Numba functions that were met, each after those it calls."""

    text: str
    dispatchers: tuple[Any, ...]


def digest(**values: Any) -> Digest:
    """Digest of named values, which are equal if and only if the same functions see the same values.

    Raises
    ------
    TypeError
        If a value, or one that a function uses, has no content that can be compared. Says where it is.
    """
    walk = _Walk()
    try:
        facts = [walk.at(name, value) for name, value in values.items()]
    except RecursionError:
        raise TypeError("a value that the functions use contains itself, or lies too deep. Use plain values") from None
    return Digest(hashlib.sha256(repr(facts).encode()).hexdigest(), tuple(walk.dispatchers))


class _Walk:
    """Turns values into nested lists of text. A function that is met again is named by the order of first meeting."""

    def __init__(self) -> None:
        self.dispatchers: list[Any] = []
        self._seen: dict[Any, int] = {}
        self._path: list[str] = []

    def at(self, name: str, value: Any) -> list[Any]:
        """A named value; the names down to it are for the error."""
        self._path.append(name)
        facts = [name, self._facts(value)]
        self._path.pop()
        return facts

    def _facts(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind in _PLAIN:
            return [kind.__name__, repr(value)]
        if kind is np.ndarray or isinstance(value, np.generic | np.dtype):
            return self._array(value)
        if kind in (tuple, list) or (isinstance(value, tuple) and hasattr(kind, "_fields")):
            return [kind.__qualname__, [self._facts(item) for item in value]]
        if kind is dict:
            return ["dict", [[self._facts(key), self._facts(item)] for key, item in value.items()]]
        if kind in (set, frozenset):
            return [kind.__name__, sorted(repr(self._facts(item)) for item in value)]
        name = _library_name(value)
        return ["library", name] if name else self._user_function(value)

    def _array(self, value: Any) -> list[Any]:
        if isinstance(value, np.dtype):
            return ["dtype", repr(value.descr)]
        if value.dtype.hasobject:
            raise self._refused(value)
        content = hashlib.sha256(np.asarray(value).tobytes()).hexdigest()
        return [type(value).__name__, repr(value.dtype.descr), value.shape, content]

    def _user_function(self, value: Any) -> list[Any]:
        if isinstance(value, FunctionType):
            return self._once(value, lambda: self._function(value))
        if hasattr(value, "py_func") and hasattr(value, "targetoptions"):  # @njit
            return self._once(value, lambda: self._dispatcher(value))
        raise self._refused(value)

    def _once(self, key: Any, facts: Any) -> list[Any]:
        """The facts, or the number under which they were met before: functions may call themselves and each other."""
        place = id(key) if not isinstance(key, tuple) else key
        if place in self._seen:
            return ["again", self._seen[place]]
        self._seen[place] = len(self._seen)
        return facts()

    def _function(self, function: FunctionType) -> list[Any]:
        codes = list(_codes(function.__code__))
        used = sorted({
            step.argval for code in codes for step in dis.get_instructions(code)
            if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
        })  # fmt: skip
        attributes = tuple(sorted({name for code in codes for name in code.co_names}))
        captured = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        return [
            [self._code(code) for code in codes],
            self.at("defaults", function.__defaults__),
            self.at("keyword defaults", function.__kwdefaults__),
            [self._variable(name, *_content(cell), attributes) for name, cell in captured],
            [self._variable(name, *_global(function, name), attributes) for name in used],
        ]

    def _variable(self, name: str, state: str, value: Any, attributes: tuple[str, ...]) -> list[Any]:
        """A variable that a function uses; of a user's module, those attributes that the function may mean."""
        if state != "value":
            return [name, state]
        if not isinstance(value, ModuleType) or _is_library(value.__name__):
            return self.at(name, value)
        meant = [other for other in attributes if hasattr(value, other)]
        return self._once(
            (id(value), attributes),
            lambda: [name, [self._variable(other, "value", getattr(value, other), attributes) for other in meant]],
        )

    def _code(self, code: CodeType) -> list[Any]:
        constants = [self._facts(c) for c in code.co_consts if not isinstance(c, CodeType)]
        counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
        return [code.co_code.hex(), code.co_exceptiontable.hex(), code.co_names, counts, constants]

    def _dispatcher(self, dispatcher: Any) -> list[Any]:
        options = [self.at(key, value) for key, value in sorted(dispatcher.targetoptions.items())]
        signatures = [] if dispatcher._can_compile else sorted(map(str, dispatcher.signatures))
        facts = ["njit", options, signatures, self._facts(dispatcher.py_func)]
        self.dispatchers.append(dispatcher)
        return facts

    def _refused(self, value: Any) -> TypeError:
        kind = type(value)
        name = "bound method" if isinstance(value, MethodType) else f"{kind.__module__}.{kind.__qualname__}"
        return TypeError(
            f"{' → '.join(self._path)} is a {name.removeprefix('builtins.')}, whose content cannot be compared. "
            f"Write it as a plain function of one number that uses only {_ALLOWED}"
        )


def _codes(code: CodeType) -> Iterator[CodeType]:
    """The code of a function and of those defined inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _content(cell: Any) -> tuple[str, Any]:
    try:
        return "value", cell.cell_contents
    except ValueError:
        return "not set yet", None


def _global(function: FunctionType, name: str) -> tuple[str, Any]:
    if name in function.__globals__:
        return "value", function.__globals__[name]
    return ("builtin" if hasattr(builtins, name) else "undefined"), None


def _is_library(module: object) -> bool:
    return isinstance(module, str) and module.partition(".")[0] in _LIBRARIES


def _library_name(value: Any) -> str | None:
    """Where a library holds this very object under its own name; None if it does not."""
    if isinstance(value, ModuleType):
        return value.__name__ if _is_library(value.__name__) else None
    if type(value).__module__.startswith("numba.core.types"):
        return f"numba {value!r}"
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    places = ["numpy", "scipy.special"] if isinstance(value, np.ufunc) else [getattr(value, "__module__", None)]
    for place in filter(_is_library, places):
        found = sys.modules.get(str(place))
        for part in str(name).split("."):
            found = getattr(found, part, None)
        if found is not None and found is value:
            return f"{place}.{name}"
    return None
