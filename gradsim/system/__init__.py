"""The machine: files, threads, signals, progress, and where a result was computed."""
