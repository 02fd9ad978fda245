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
    assert isinstance(model(**WHOLE[model] | {name: example}), model)
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
    assert len(str(found)) < 300
    required = {name for name, parameter in found.parameters.items() if parameter.default is parameter.empty}
    assert required == {name for name, field in model.model_fields.items() if field.is_required()}
    assert model(**found.bind(**WHOLE[model]).arguments) == model(**WHOLE[model])
