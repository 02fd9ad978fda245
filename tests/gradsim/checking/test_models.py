"""Factories, instances and names of models; what is refused says the remedy."""

from __future__ import annotations

import sys

import pytest

import gradsim as gs
from gradsim.errors import SweepError

FILE = """
import torch
from torch import nn

def build():
    return nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2)), torch.randn(2, 8)

def at_half():
    model, batch = build()
    for parameter in model.parameters():
        nn.init.normal_(parameter, 0.0, 0.5)
    return model, batch
"""


def check(*arguments, **options):
    return gs.check(*arguments, networks=8, progress="none", **options)


def test_without_torch_the_message_says_how_to_install_it(monkeypatch, call):
    run = gs.check  # imported before: SciPy, too, looks for torch among the modules
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(gs.GradsimError, match=r'pip install "gradsim\[torch\]"'):
        run(lambda: None)
    code, _, err = call("check", "x:y")
    assert code == 2
    assert "gradsim[torch]" in err


def test_an_instance_is_initialised_by_its_parts_or_by_init(torch):
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64))
    batch = torch.randn(4, 64)
    before = [parameter.clone() for parameter in model.parameters()]
    found = check(model, batch).parameters.set_index("parameter")
    assert found.loc["0.weight", "presets"] == "pytorch_linear"
    assert all(old.equal(new) for old, new in zip(before, model.parameters(), strict=True))
    assert not any(module._forward_hooks for module in model.modules())

    def init(copy):
        for module in copy:
            if isinstance(module, torch.nn.Linear):
                torch.nn.init.kaiming_normal_(module.weight)

    assert "he_normal" in check(model, batch, init=init).parameters.set_index("parameter").loc["0.weight", "presets"]
    init(model)  # whose std reset_parameters would not give
    with pytest.raises(SweepError, match="builds and initialises"):
        check(model, batch)


def test_parameters_that_nothing_resets_are_refused(torch):
    class Own(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(3))

    with pytest.raises(SweepError, match="reset_parameters"):
        check(Own(), torch.ones(2, 3))


def test_the_state_of_the_generator_is_kept_and_seeds_repeat(torch):
    def build():
        return torch.nn.Linear(8, 8), torch.randn(2, 8)

    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = check(build)
    assert torch.rand(1) == expected
    assert first.modules.equals(check(build).modules)
    assert not first.modules.equals(check(build, seed=2).modules)


@pytest.mark.parametrize(
    ("change", "field"),
    [({"networks": 4}, "networks"), ({"seed": -1}, "seed"), ({"model": 3}, "model"), ({"progress": "x"}, "progress"),
     ({"model": lambda: 3}, "model"), ({"batch": None}, "batch")],
)  # fmt: skip
def test_wrong_values_are_refused(torch, change, field):
    options = {"model": lambda: torch.nn.Linear(2, 2), "batch": torch.ones(1, 2), "progress": "none"} | change
    with pytest.raises(SweepError) as error:
        gs.check(**options)
    assert error.value.field == field


def test_outputs_without_gradient_are_refused(torch):
    class Words(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x).argmax(-1)

    with pytest.raises(SweepError, match="floating-point"):
        check(lambda: (Words(2, 2), torch.ones(1, 2)))


def test_unusual_models_are_measured(torch):
    nn = torch.nn

    def frozen():
        model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))
        return model.requires_grad_(False), torch.randn(2, 8)

    def computed():  # whose weight is no parameter
        layers = (nn.utils.parametrizations.weight_norm(nn.Linear(16, 16)) for _ in range(5))
        return nn.Sequential(*layers), torch.randn(2, 16)

    def half():
        layers = (nn.Linear(16, 16) for _ in range(4))
        return nn.Sequential(*layers).to(torch.bfloat16), torch.randn(2, 16, dtype=torch.bfloat16)

    sizes = {}
    for build in (lambda: (nn.Sequential(nn.ReLU()), torch.randn(2, 4)), frozen, computed, half):
        found = check(build)
        assert str(found)
        assert "<table>" in found._repr_html_()
        sizes[build.__name__] = len(found.modules), len(found.parameters)
    assert sizes == {"<lambda>": (2, 0), "frozen": (4, 4), "computed": (16, 15), "half": (5, 8)}


def test_batches_of_several_tensors(torch):
    class Two(torch.nn.Linear):
        def forward(self, x, y):
            x += y  # in place, on the input
            return {"first": super().forward(x)}

    for batch in ((torch.randn(4, 8), torch.randn(4, 8)), {"y": torch.randn(4, 8), "x": torch.randn(4, 8)}):
        assert check(lambda batch=batch: (Two(8, 8), batch)).sound


def test_the_command(torch, tmp_path, call, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checked_models.py").write_text(FILE, encoding="utf-8")
    options = ("--networks", 8, "--progress", "none")
    code, out, _ = call("check", "checked_models.py:build", *options)
    assert code == 0
    assert "No fault" in out
    assert "pytorch_linear" in out
    code, out, _ = call("check", "checked_models:at_half", *options, "--format", "json", "--output", "out")
    assert code == 0
    assert '"sound": true' in out
    tables = {"verdicts", "modules", "parameters", "presets", "growth", "laws"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{name}.parquet" for name in tables}
    code, out, _ = call("check", "checked_models:build", *options, "--table", "parameters", "--format", "csv")
    assert out.startswith("parameter,module,kind,family")
    for wrong, allowed in (("checked_models.py:bild", "a name that"), ("absent.py:f", "a Python file"),
                           ("absent_module:f", "can be imported"), ("build", "module:factory")):  # fmt: skip
        code, _, err = call("check", wrong, *options)
        assert code == 2
        assert allowed in err
    sys.modules.pop("checked_models", None)


def test_a_fault_has_an_exit_code(torch, tmp_path, call):
    file = tmp_path / "faulty_models.py"
    file.write_text(
        "from torch import nn, randn\n"
        "def build():\n"
        "    layers = [make() for _ in range(12) for make in (lambda: nn.Linear(64, 64), nn.ReLU)]\n"
        "    return nn.Sequential(*layers), randn(4, 64)\n",
        encoding="utf-8",
    )
    code, out, _ = call("check", f"{file}:build", "--progress", "none")
    assert code == 4
    assert "gain: 0 … 22" in out
    assert "Take sigma_w = 1.414" in out
    sys.modules.pop("faulty_models", None)
