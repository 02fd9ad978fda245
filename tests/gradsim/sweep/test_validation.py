"""Every field of every model says what it allows, and the example of its remedy is accepted."""

from __future__ import annotations

import inspect

import pytest

from gradsim.errors import SweepError
from gradsim.sweep import Sweep
from gradsim.sweep.axes import Grid
from gradsim.training import Recipe

WHOLE = {
    Sweep: {"activation": "tanh", "sigma_w": 1.0, "depth": 2, "width": 4, "networks": 1, "seed": 1},
    Grid: {"start": 1.0, "stop": 2.0, "num": 3},
    Recipe: {},
}
FIELDS = [(model, name) for model in WHOLE for name in model.model_fields]


class Strange:
    """A value that no field takes."""


@pytest.mark.parametrize(("model", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_what_is_allowed_and_the_remedy(model, name):
    field = model.model_fields[name]
    assert field.description
    (example,) = field.examples
    values = WHOLE[model] | {name: example}
    if name == "preset":
        del values["sigma_w"]  # which it stands for
    if name == "quantities":
        values["inputs"] = 2
    assert isinstance(model(**values), model)
    with pytest.raises(SweepError) as caught:
        model(**WHOLE[model] | {name: Strange()})
    assert "None" not in str(caught.value).replace("or None for all", "")
    if field.is_required():
        with pytest.raises(SweepError, match=f"{name} is missing.*Write for example {name} = "):
            model(**{key: value for key, value in WHOLE[model].items() if key != name})


@pytest.mark.parametrize("model", WHOLE)
def test_a_signature_that_people_can_read(model):
    """Names and defaults, in order, and no types."""
    found = inspect.signature(model)
    assert list(found.parameters) == list(model.model_fields)
    assert len(str(found)) < 720  # 30 names
    required = {name for name, parameter in found.parameters.items() if parameter.default is parameter.empty}
    assert required == {name for name, field in model.model_fields.items() if field.is_required()}
    assert model(**found.bind(**WHOLE[model]).arguments) == model(**WHOLE[model])


@pytest.mark.parametrize(
    "changes", [{"sigma_w": -1.0}, {"networks": 0}, {"depth": [2, 2]}, {"sigma": 1.0}, {"method": "exact"}], ids=str
)
def test_copies_are_checked(changes: dict) -> None:
    sweep = Sweep(activation="tanh", sigma_w=[1.0, 1.5], depth=2, width=3, networks=4, seed=1)
    with pytest.raises(SweepError, match=next(iter(changes))):
        sweep.model_copy(update=changes)
    copy = sweep.model_copy(update={"depth": 5})
    assert copy == sweep.replace(depth=5)
    assert copy.content_hash != sweep.content_hash
    assert sweep.model_copy() == sweep
