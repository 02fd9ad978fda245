"""The mean field: fixed points, depth scales, and boundaries at infinite width."""
