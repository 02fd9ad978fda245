"""Every field of every model says what it allows, and the example of its remedy is accepted."""

from __future__ import annotations

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
