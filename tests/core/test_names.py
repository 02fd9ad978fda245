"""Names that users type: what is offered in place of a wrong one is accepted."""

from __future__ import annotations

import re

import pytest

from gradsim_core.activations import ACTIVATIONS, resolve_activation
from gradsim_core.laws import LAWS, resolve_law
from gradsim_core.names import nearest, parse

TABLES = [(resolve_activation, ACTIVATIONS), (resolve_law, LAWS)]


def refusal(resolve, text):
    try:
        resolve(text)
    except ValueError as error:
        return str(error)
    return None


@pytest.mark.parametrize(("resolve", "table"), TABLES, ids=["activations", "laws"])
@pytest.mark.parametrize("parameter", ["()", "( )", "(x)", "(1, 2)", "(inf)", "(nan)", "(-1e300)", "(0.5)"])
def test_every_remedy_is_accepted(resolve, table, parameter):
    for name in table:
        if message := refusal(resolve, name + parameter):
            remedy = re.search(r"Write (?:for example )?'([^']*)'", message)
            assert remedy, message
            assert resolve(remedy[1]).name.startswith(name)


@pytest.mark.parametrize(
    ("word", "table", "offered"),
    [
        ("normal", LAWS, "gaussian"), ("Normal", LAWS, "gaussian"), ("haar", LAWS, "orthogonal"),
        ("swish", ACTIVATIONS, "silu"), ("logistic", ACTIVATIONS, "sigmoid"), ("identity", ACTIVATIONS, "linear"),
        ("glorot", ["normal", "xavier", "he"], "xavier"), ("norml", ["normal", "xavier"], "normal"),
        ("tahn", ACTIVATIONS, "tanh"), ("gausian", LAWS, "gaussian"), ("qqq", LAWS, None),
    ],
)  # fmt: skip
def test_the_nearest(word, table, offered):
    assert nearest(word, table) == offered
    with pytest.raises(ValueError, match=f"Did you mean '{offered}'" if offered else "Allowed: "):
        parse(word, table, "name")
