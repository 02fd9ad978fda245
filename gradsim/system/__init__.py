"""The operating system: files, threads, signals, progress, and the provenance of results."""
