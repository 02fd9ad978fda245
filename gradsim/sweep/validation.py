"""Base of the validated models: every fault becomes a sentence with field, value, what is allowed, and a remedy.

Each field declares what is allowed and an example (``Field(description=…, examples=[…])``), so that checks, messages
and documentation share one text.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from gradsim.errors import MISSING, SweepError, suggestion
from gradsim.notebook import facts_html, short


class ValidatedModel(BaseModel):
    """Frozen, refuses unknown keys, and raises :class:`SweepError` only."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            faults: dict[tuple[int | str, ...], SweepError] = {}
            # Unknown keys first: they often explain a missing one. One fault per field: further ones repeat it.
            for detail in sorted(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden"):
                faults.setdefault(detail["loc"][:1], self._fault(detail, values))
            first, *others = faults.values()
        else:
            return
        raise first.joined(others)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy with some keys changed, validated like any other; pydantic's own skips every check."""
        del deep  # values are immutable
        return type(self)(**self._changed(dict(update or {})))

    def _changed(self, update: dict[str, Any]) -> dict[str, Any]:
        """All keys, some of them changed."""
        return {field: getattr(self, field) for field in type(self).model_fields} | update

    def _repr_html_(self) -> str:
        return facts_html(type(self).__name__, {name: short(getattr(self, name)) for name in type(self).model_fields})

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Set a signature of names and defaults: with the annotations, a notebook shows thousands of characters."""
        parameters = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=Parameter.empty if field.is_required() else field.default)
            for name, field in cls.model_fields.items()
        ]
        cls.__signature__ = Signature(parameters)

    @classmethod
    def _fault(cls, detail: ErrorDetails, values: dict[str, Any]) -> SweepError:
        cause = detail.get("ctx", {}).get("error")
        if isinstance(cause, SweepError):
            return cause
        name, *place = (str(part) for part in detail["loc"])
        if detail["type"] == "extra_forbidden":
            allowed = f"one of the keys {', '.join(cls.model_fields)}"
            return SweepError(name, detail["input"], allowed, suggestion(name, cls.model_fields))
        field = cls.model_fields[name]
        value = MISSING if detail["type"] == "missing" else detail["input"]
        remedy = f"Write for example {name} = {_toml((field.examples or [None])[0])}"
        several = hasattr(values.get(name), "__len__") and not isinstance(values[name], str)
        return SweepError(f"{name}[{place[0]}]" if place and several else name, value, str(field.description), remedy)


def _toml(example: object) -> str:
    return f'"{example}"' if isinstance(example, str) else str(example)
