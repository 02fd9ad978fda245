"""One row in a table is all that an extension takes: each test adds one and uses it from end to end.

Tables are read at import, so every extension is added in a process of its own, with a kernel cache of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel_cache import kernel_cache

ROOT = Path(__file__).parents[3]


def run_extended(row: str, use: str, folder: Path) -> None:
    """Run `use` in a process that first ran `row`; an exception there raises RuntimeError with its traceback."""
    environment = os.environ | {"GRADSIM_CACHE_DIR": str(kernel_cache(row))}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{row}\n{use}", str(folder)],
        env=environment, cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr)


QUANTITY = """
from gradsim_core.results.quantities import LN, define

define("log_x", LN, "ln of the mean square activation of the layer below", lambda logs: logs.x2 - logs.width)
"""

USE_OF_QUANTITY = """
import sys
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import gradsim as gs

out = sys.argv[1] + "/run"
cell = {"activation": "tanh", "sigma_w": 1.5, "depth": 3, "width": 5, "networks": 40, "seed": 7}


def log_x(network):
    \"\"\"ln(|x^(l-1)|^2 / N) of one network from its weights.\"\"\"
    drawn = gs.weights(network, **cell)
    x = [drawn.x0.astype(float)]
    for W, b in zip(drawn.W[:-1], drawn.b[:-1]):
        x.append(np.tanh(W @ x[-1] + b))
    return [np.log(np.mean(v * v)) for v in x]


expected = np.array([log_x(network) for network in range(cell["networks"])])
ensemble = gs.simulate(**cell)
np.testing.assert_allclose(ensemble.log_x, expected, atol=1e-5)
assert "ln of the mean square activation" in gs.Ensemble.__doc__

run = gs.run(gs.Sweep(**cell, record="networks", shard_size=1000), out, progress="none")
assert run.dataset.plan.shard_count > 2
rows = run.layers(quantity="log_x")
np.testing.assert_allclose(rows["mean"], ensemble.log_x.mean(axis=0), atol=1e-6)
np.testing.assert_allclose(rows["std"], ensemble.log_x.std(axis=0, ddof=1), atol=1e-6)
assert (rows["networks"] == 40).all()
assert set(run.layers()["quantity"]) == {"log_delta", "log_weight_grad", "log_q", "log_gain", "log_x"}
assert (rows["q05"] < rows["median"]).all()
np.testing.assert_array_equal(run.networks()["log_x"].to_numpy().reshape(40, 3), ensemble.log_x)
stored = pd.read_parquet(out + "/data/networks")
assert sorted(stored["log_x"]) == sorted(ensemble.log_x.ravel())
field = pq.read_table(out + "/data/networks").schema.field("log_x")
assert field.metadata[b"unit"] == b"natural log"
assert b"mean square activation" in field.metadata[b"description"]
found = run.verify()
assert found.problems == [] and found.digest == run.compact(sys.argv[1] + "/compact").verify().digest
assert len(run.summary()) == 1
"""


def test_a_quantity_is_one_row(tmp_path):
    run_extended(QUANTITY, USE_OF_QUANTITY, tmp_path)


@pytest.mark.verify
def test_a_wrong_formula_is_caught(tmp_path):
    with pytest.raises(RuntimeError, match="Not equal to tolerance"):
        run_extended(QUANTITY.replace("logs.x2 - logs.width", "logs.x2"), USE_OF_QUANTITY, tmp_path)
