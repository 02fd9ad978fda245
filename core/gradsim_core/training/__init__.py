"""Training of fully connected and recurrent networks on data: explicit weights, many replicas."""

from . import costs, descent, normalisation, passes, products, recurrent

__all__ = ["costs", "descent", "normalisation", "passes", "products", "recurrent"]
