"""Networks as tapes: lists of operations on rows of vectors, which one kernel runs forward and backward."""

from .tape import Tape

__all__ = ["Tape"]
