"""Compiled parts of training steps: lazy matrices that meet `blocks` of rows from two `sides`, products,
activations, normals."""
