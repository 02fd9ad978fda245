"""Data that is shipped with gradsim: sweeps and reference tables."""
