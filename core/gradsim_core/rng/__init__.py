"""Random numbers: counters and keys, normals, numbers of a law in bulk."""
