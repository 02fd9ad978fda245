"""Training of fully connected and recurrent networks: real weights, real data, many replicas."""

from . import costs, descent, normalisation, passes, products, recurrent

__all__ = ["costs", "descent", "normalisation", "passes", "products", "recurrent"]
