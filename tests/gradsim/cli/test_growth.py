"""What `gradsim run` prints of networks that have no boundary."""

from __future__ import annotations

SWEEP = """
architecture = ["plain", "residual2"]
activation = "relu"
sigma_w = 1.2
depth = [2, 4]
width = 8
networks = 50
seed = 1
method = "conditional"
"""


def test_gains_by_depth(call, tmp_path):
    (tmp_path / "sweep.toml").write_text(SWEEP)
    code, out, _ = call("run", str(tmp_path / "sweep.toml"), "--out", str(tmp_path / "run"))
    assert (code, "Gain by depth" in out, "Boundary" in out) == (0, True, False)
    code, out, _ = call("layers", str(tmp_path / "run"), "--quantity", "log_gain")
    assert (code, out.count("residual2")) == (0, 6)
    assert (tmp_path / "run" / "growth.png").read_bytes()[:4] == b"\x89PNG"
