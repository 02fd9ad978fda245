"""The images that are shipped: damage is noticed before anything is written."""

from __future__ import annotations

import pytest

from gradsim.errors import CorruptDataError
from gradsim.lessons import images as shipped

pytest.importorskip("matplotlib")


def damaged(kind: str, content: bytes) -> bytes | None:
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    return {"missing": None, "truncated": content[:-100], "altered": bytes(flipped), "empty": b""}[kind]


@pytest.mark.parametrize("kind", ["missing", "truncated", "altered", "empty"])
def test_damaged_images_are_refused(call, tmp_path, monkeypatch, kind):
    content = damaged(kind, shipped.images_path().read_bytes())
    file = tmp_path / "mnist.npz"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setattr(shipped, "images_path", lambda: file)
    code, _, error = call("lesson", "bars", "--quick", "--out", tmp_path / "out")
    assert code == 4
    assert ("missing" if kind == "missing" else "damaged") in error
    assert "Install gradsim again" in error
    assert not (tmp_path / "out").exists()
    with pytest.raises(CorruptDataError):
        shipped.load_images()
