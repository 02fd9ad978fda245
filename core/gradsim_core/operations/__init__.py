"""What networks do to rows of vectors between their matrices, forward and backward.

Rows are inputs, tokens or time steps, stored as `linear.rows` says. A row may have several parts of n numbers, such as
heads, each padded by itself. Backward takes dC / d(answer) and gives dC / d(question) of the same shape.
"""
