"""The numbers of the shipped sweeps, by every method and in both precisions: no change of the code changes them."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import gradsim as gs
from gradsim.sweep.files import shipped

FEW = 16
"""Networks of each cell in the quick test; a sweep with more begins with the same ones."""

PARTS = {"presets": {"activation": ["relu", "tanh"]}}
"""Of sweeps with many kernels, the part that the quick test runs."""

DIGESTS = {
    ("norm-placement", "conditional", "float32"): (
        "e805ccdc5988993837a226e217fb12c84b693b4b29ada6dafcd9f3633819aa6e",
        "8805bbccd192179d49b39f95e7d1905ca8e893838bc12a7c4feb2707ddfdadb2",
    ),
    ("presets", "explicit", "float32"): (
        "525b7aeeb2048b8fd6df34dff8f4a5eb8a2f5e2c3fb5caee460f27d6a851a586",
        "8867c10037a82121d3726ad3b3843e49d470fb57a963a0293632e263cb3de307",
    ),
    ("residual-depth", "conditional", "float32"): (
        "2d81f836cb3c778e15c9ad2dc37a2ee9bc7ef11b5e2d652ac58307a8dbb440da",
        "58ec46145ff46b79c5159c0710b0742278679e7da083d5cdaba3817296b1c337",
    ),
    ("phase-relu", "explicit", "float32"): (
        "98984210b24480a2ca5ef34bdd5daf5650d2e473bae30969809b618641674397",
        "70a9d0a400af4ca40ee49b872783c7cb019f373a4dee9f69f93b9ce0be164063",
    ),
    ("phase-relu", "explicit", "float64"): (
        "bd532fe25cdda352df34c08959a2ae93eda0ee6d5333b3e0860f1988f09377aa",
        "4194bd3aefec57f88c58e226248d5bf6321b4c4645664947f0a8e67fa453357d",
    ),
    ("phase-relu", "conditional", "float32"): (
        "7a5844f82f8f9a313462a86ece355b75060b64abbe40abe9b7e1e97e36415e36",
        "385ddb97b117eef759bb40a769883ce29104b6d366affdf8005e545b2f54895f",
    ),
    ("phase-relu", "conditional", "float64"): (
        "22fce4ca561917daefe05d5d51c732e0d3eb31d7c183dd8a248c5fcf07c78c05",
        "3afe80cdc2a46b7efe3e27441dcaa6a8c7fe185f0e3e0d04675b289cc5990cb1",
    ),
    ("phase-sigmoid", "explicit", "float32"): (
        "7a093fc53314f517c498597741adbbb0e235f416aca3269daffde990672751ed",
        "9e0cf9ea0a7b225557633ed4673d062bc972b86c202623303a142d2a3a35dd74",
    ),
    ("phase-sigmoid", "explicit", "float64"): (
        "7f1562a37ed86d05a1c73fcb6c0b3f3ec2221001666af32a505c9988a01b3f97",
        "5df348294e6520d6ad42b9bf63dd0c7a803ed26bad4655c35610aa9463e2d463",
    ),
    ("phase-sigmoid", "conditional", "float32"): (
        "7caab0c3bf95407b8d4973491d826af34a1095c755d921bab31a2fea0ce1912e",
        "2a213e2eca9dddf21d2278783452f434e7b8b203e8877a099cede4499eb7e957",
    ),
    ("phase-sigmoid", "conditional", "float64"): (
        "dd3dd1cfffc9da43204e5a0c8065dea0a1a5efafec5064cd5633fd9d1dc39605",
        "3de03809c86cc53b805c32df8c1a4661341cfc0d951f841e1204a7cab8909df5",
    ),
    ("phase-tanh", "explicit", "float32"): (
        "870cdd3893d05d06154aa4e7298c3bd3a71478831873142666d091238f9651e1",
        "1e4712f174cb06c10f108164616cf8fcc19747cc77aace73dc5dc836ab77e164",
    ),
    ("phase-tanh", "explicit", "float64"): (
        "ae5b4f43a5b9afeb077aaa13d92549ef151e063e6f6cbaf1b0dab552b236a1ae",
        "794b9935dbf7514e027ce2b615856bc9eed86723ba1712e14054ad179e3e8531",
    ),
    ("phase-tanh", "conditional", "float32"): (
        "e6cd4282a9a04f98a9d5f00f112e598f590fd7904a66a42bc6bbf3e21bc39061",
        "adda967af45231251f69e308284e24238e24168cb9d33699914eaebb0981c2ef",
    ),
    ("phase-tanh", "conditional", "float64"): (
        "a8b8374c0bc101e825bae9c4be1e13947f2f6ef9a93e4b3a17bd736a2b16ed98",
        "6104262fc01314e0d4c995269947ab7a2b536260ea1b41c78c6a8976d1a6d399",
    ),
}
"""Of each shipped sweep, or of its part, the digest with `FEW` networks a cell, and of the whole sweep."""


def digest(sweep: gs.Sweep, out: Path) -> str | None:
    return gs.run(sweep, out, progress="none").verify().digest


def test_every_shipped_sweep_has_digests():
    """Those of plain networks by both methods and in both precisions, others as they are shipped."""
    expected = set()
    for name in shipped():
        sweep = gs.Sweep.from_toml(name)
        kinds = itertools.product(("explicit", "conditional"), ("float32", "float64"))
        expected |= {(name, *kind) for kind in ([(sweep.method, sweep.dtype)] if sweep.network_axes else kinds)}
    assert set(DIGESTS) == expected


@pytest.mark.parametrize(("name", "method", "dtype"), DIGESTS)
def test_few_networks(name: str, method: str, dtype: str, tmp_path: Path):
    sweep = gs.Sweep.from_toml(name).replace(method=method, dtype=dtype, networks=FEW, **PARTS.get(name, {}))
    assert digest(sweep, tmp_path / "run") == DIGESTS[name, method, dtype][0]


@pytest.mark.verify
@pytest.mark.parametrize(("name", "method", "dtype"), DIGESTS)
def test_whole_sweeps(name: str, method: str, dtype: str, tmp_path: Path):
    sweep = gs.Sweep.from_toml(name).replace(method=method, dtype=dtype)
    assert digest(sweep, tmp_path / "run") == DIGESTS[name, method, dtype][1]
