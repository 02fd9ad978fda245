"""The mean field of architectures: plain networks with a norm, residual networks, transformers.

`stream` follows a network block by block. A row of `table` writes an architecture as a chain of `steps`, each of which
maps the covariance of vectors forward and mean squares of errors backward; `norms` is the table of norms, `alike` the
covariance of one vector or of vectors that are alike, `ordered` that of tokens which see only earlier ones.
"""
