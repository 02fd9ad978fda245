"""Linear algebra on rows of vectors: products, inner products, triangular matrices, orthonormal bases."""
