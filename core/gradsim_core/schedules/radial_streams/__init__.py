"""The radial sampler for residual networks: lengths and angles of the stream alone, at any width."""
