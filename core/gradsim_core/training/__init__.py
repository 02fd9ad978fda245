"""Training of fully connected and recurrent networks on data: explicit weights, many replicas."""

from . import costs, descent, normalisation, passes, recurrent

__all__ = ["costs", "descent", "normalisation", "passes", "recurrent"]
