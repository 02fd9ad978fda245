"""`python -m gradsim` is the command line."""

from gradsim.cli import main

main()
