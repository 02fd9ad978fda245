"""The conditional sampler for networks with a stream or norms, of one input."""
