"""Claims of the literature as data: a TOML file for each source, validated when read."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from gradsim.errors import MISSING, SweepError, SweepFileError, suggestion
from gradsim.sweep import files
from gradsim.sweep.validation import ValidatedModel
from gradsim.validation import formulas
from gradsim.validation.estimators import ESTIMATORS
from gradsim.validation.margins import Margin, parse

VALUE = "value"
"""The control that multiplies our estimate itself: for numbers that depend on no parameter."""

Model = TypeVar("Model", bound=ValidatedModel)

_COMPUTED = ("estimator", "value", "margin", "control")
_NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"
_Text = Annotated[str, Field(min_length=1, max_length=500)]


def _number(text: str) -> str:
    try:
        formulas.evaluate(text)
    except ValueError as error:
        remedy = f"Correct it ({error})"
        raise SweepError("value", text, formulas.ALLOWED, remedy) from None
    return text


_Value = Annotated[str, AfterValidator(_number)]


class Dispute(ValidatedModel):
    """What contradicts a published number: the right one, and a second way to it."""

    instead: _Value = Field(description="the right number, as a decimal or a formula in quotes", examples=["1.593"])
    route: str = Field(description="an estimator that shares no code with the first", examples=["quad_gain"])
    check: _Text = Field(description="how a reader checks it, in a line or two of text", examples=["scipy.…"])


class Claim(ValidatedModel):
    """One claim: what a source says, and how to recompute it.

    A claim that gradsim cannot recompute has ``beyond``, the reason, and neither estimator nor margin.
    """

    id: str = Field(pattern=_NAME, description="a name of small letters, digits and hyphens", examples=["critical"])
    what: _Text = Field(description="what is claimed, as one plain sentence", examples=["relu is critical at …"])
    where: _Text = Field(description="the place in the source, as far as it is known", examples=["equation 10"])
    basis: Literal["printed", "formula", "equations", "statement"] = Field(
        description="printed (the number stands there), formula (a formula of the source at these parameters), "
        "equations (solved from its equations by separate code) or statement (a sentence, made a number)",
        examples=["printed"],
    )
    value: _Value | None = Field(
        None, description="the claimed number in quotes, with the digits printed, or a formula", examples=["1.7015"]
    )
    value_error: float = Field(0.0, ge=0.0, description="its published standard error, >= 0", examples=[0.001])
    estimator: str | None = Field(None, description="the name of an estimator", examples=["chi_1"])
    given: dict[str, float | str] = Field(
        default_factory=dict, description="a table of the estimator's parameters", examples=['{ activation = "tanh" }']
    )
    margin: Annotated[Margin | None, BeforeValidator(parse)] = Field(
        None, description="a table of one entry", examples=["{ units = 0.5 }"]
    )
    control: str | None = Field(
        None, description='the parameter that is raised by 2 % to plant an error, or "value"', examples=["sigma_w"]
    )
    cost: Literal["quick", "full"] = Field("quick", description="quick or full", examples=["full"])
    dispute: Dispute | None = Field(
        None, description="a table with instead, route and check", examples=["{ instead = … }"]
    )
    beyond: _Text | None = Field(
        None, description="why gradsim cannot recompute it, in a sentence", examples=["It needs training."]
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        present = [name for name in _COMPUTED if getattr(self, name) is not None]
        if self.beyond is not None:
            if extra := [name for name in (*_COMPUTED[:1], *_COMPUTED[2:]) if name in present]:
                allowed = "absent beside beyond, which says that nothing is computed"
                raise SweepError(extra[0], getattr(self, extra[0]), allowed, f"Remove {extra[0]} or beyond")
            return self
        for name in _COMPUTED:
            if name not in present:
                field = type(self).model_fields[name]
                raise SweepError(
                    name, MISSING, str(field.description), "Add it, or say in beyond why nothing is computed"
                )
        self._check_estimator()
        if self.margin is not None and self.margin.kind == "units" and formulas.last_place(str(self.value)) is None:
            raise SweepError("margin", {"units": self.margin.size}, "another kind, since a formula has no last place",
                             "Write for example margin = { relative = 1e-9 }")  # fmt: skip
        return self

    def _check_estimator(self) -> None:
        names = [self.estimator] + ([self.dispute.route] if self.dispute else [])
        for field, name in zip(("estimator", "dispute.route"), names, strict=False):
            if name not in ESTIMATORS:
                raise SweepError(field, name, f"one of {', '.join(ESTIMATORS)}", suggestion(name, ESTIMATORS))
            ESTIMATORS[str(name)].check(self.given)
        if self.dispute and self.dispute.route == self.estimator:
            raise SweepError("dispute.route", self.estimator, "another estimator than the first",
                             "Name one that computes the number by other means")  # fmt: skip
        choices = [*ESTIMATORS[str(self.estimator)].controls(self.given), VALUE]
        if self.control not in choices:
            raise SweepError("control", self.control, f"one of {', '.join(choices)}", suggestion(self.control, choices))


class Source(ValidatedModel):
    """A paper, a library or a standard, and its claims."""

    name: str = Field(pattern=_NAME, description="the file's name without .toml", examples=["he-2015"])
    title: _Text = Field(description="the title", examples=["Delving deep into rectifiers"])
    authors: _Text = Field(description="the authors", examples=["He, Zhang, Ren, Sun"])
    year: int | None = Field(
        None, ge=1900, le=2100, description="a year; absent for a library, which has versions", examples=[2015]
    )
    link: _Text = Field(description="arXiv id, DOI or address", examples=["arXiv:1502.01852"])
    claims: tuple[Claim, ...] = Field(min_length=1, description="at least one [[claims]] table", examples=["[{ … }]"])

    @property
    def label(self) -> str:
        """Authors, and the year if there is one."""
        return f"{self.authors} {self.year}" if self.year else self.authors

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [claim.id for claim in self.claims]
        for name in names:
            if names.count(name) > 1:
                raise SweepError("id", name, "a name that no other claim of the source has", "Rename one of them")
        return self


def shipped() -> tuple[str, ...]:
    """Return the names of the sources that are shipped with gradsim."""
    folder = resources.files("gradsim_data") / "claims"
    return tuple(sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".toml")))


def load(sources: str | Path | Sequence[str | Path] | None = None) -> list[Source]:
    """Read sources and check every claim.

    Parameters
    ----------
    sources
        Names of shipped sources or paths of TOML files; None: all that are shipped.

    Raises
    ------
    SweepError
        Unknown source, or a claim that is not valid: says which, and what is allowed.
    SweepFileError
        A file that cannot be read, or is not TOML.
    """
    if sources is None:
        wanted: Sequence[str | Path] = shipped()
    else:
        wanted = [sources] if isinstance(sources, (str, Path)) else list(sources)
    if not wanted:
        raise SweepError("sources", [], "at least one source", "Leave it out for all that are shipped")
    return [read(name) for name in dict.fromkeys(wanted)]


def read(source: str | Path) -> Source:
    """Read one source, as :func:`load`."""
    path = Path(source)
    if path.suffix == ".toml":
        try:
            with open(path, "rb") as file:
                data = file.read(files.SIZE_CAP + 1)
        except OSError as error:
            raise SweepFileError(f"{path}: the claims cannot be read: {error.strerror}. Check the path.") from None
        return parse_source(data, path.stem, str(path))
    names = shipped()
    if str(source) not in names:
        raise SweepError("source", str(source), f"a TOML file of claims, or one of {', '.join(names)}",
                         suggestion(source, names))  # fmt: skip
    data = (resources.files("gradsim_data") / "claims" / f"{source}.toml").read_bytes()
    return parse_source(data, str(source), f"{source}.toml")


def parse_source(data: bytes, name: str, place: str) -> Source:
    """Return the source that TOML text describes; ``place`` names it in messages."""
    if len(data) > files.SIZE_CAP:
        raise SweepFileError(f"{place}: the file is larger than 1 MiB. Check that it is a file of claims.")
    values = files.parse(data, place)
    if "name" in values:
        raise SweepError(f"{place}: name", values["name"], "absent, since the file's name is the source's", "Remove it")
    rows = values.get("claims")
    claims: list[Any] = []
    for number, row in enumerate(rows if isinstance(rows, list) else [], start=1):
        label = row.get("id", f"claim {number}") if isinstance(row, dict) else f"claim {number}"
        claims.append(_located(f"{place}, {label}", Claim, row if isinstance(row, dict) else {}))
    return _located(place, Source, values | {"name": name} | ({"claims": tuple(claims)} if claims else {}))


def _located(place: str, model: type[Model], values: dict[str, Any]) -> Model:
    """Make a model; faults name the place."""
    try:
        return model(**values)
    except SweepError as error:
        raise error.at(place) from None
