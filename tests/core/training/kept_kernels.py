"""Gradients of trainers, compiled and interpreted: ``python -m tests.core.training.kept_kernels tanh/quadratic``."""

from __future__ import annotations

import sys

from tests.core.training.test_training import Case

if __name__ == "__main__":
    for words in sys.argv[1:]:
        one, other = (Case(*words.split("/"), interpret=flag).gradient()[1] for flag in (False, True))
        print(words, abs(one - other) < 1e-12)
