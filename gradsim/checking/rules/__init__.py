"""Verdicts on initialisations: a table of rules, each a function of measured facts."""
