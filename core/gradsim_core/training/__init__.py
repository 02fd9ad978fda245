"""Training of fully connected and recurrent networks on data: explicit weights, many replicas."""

from . import costs, descent, passes, recurrent

__all__ = ["costs", "descent", "passes", "recurrent"]
