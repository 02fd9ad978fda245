"""Numbers beyond the range of floats: an exponent set aside per vector or per lane, or a logarithm per element."""
