"""What makes it safe to keep compiled kernels: a private `folder`, checked files, a `digest` of functions."""
