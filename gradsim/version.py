"""The version, which the distribution, the command line and every dataset take from here."""

__version__ = "0.1.0"
