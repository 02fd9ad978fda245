"""Models that lessons experiment on: chains of single neurons, a slice of the cost, remedies for deep networks."""
