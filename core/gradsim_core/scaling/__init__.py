"""Numbers of any size: powers of two kept apart per vector, per lane or per element."""
