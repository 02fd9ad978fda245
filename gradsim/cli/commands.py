"""All commands, and their errors as messages and exit codes. Each is a thin layer over the Python interface."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from gradsim.cli.inspect import boundary, status, summarize
from gradsim.cli.lesson import lesson
from gradsim.cli.maintain import compact, gc, verify
from gradsim.cli.run import run, warmup
from gradsim.cli.submit import submit
from gradsim.cli.theory import info, theory
from gradsim.system.signals import EXIT_STOPPED, StopSignals
from gradsim.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gradsim")
def cli() -> None:
    """Simulate back-propagated gradients in deep random networks: do they vanish, explode, or survive?

    \b
    First steps:
      gradsim run phase-tanh --out out/phase-tanh    the classic phase diagram, about two minutes
      gradsim boundary out/phase-tanh                its boundary, compared with theory
      gradsim theory gelu --sigma-b 0.2              theory alone, without simulation

    Exit codes: 0 done; 1 unexpected error; 2 wrong usage or configuration; 3 some shards failed; 4 damaged data; 5 full
    disk or I/O error (resumable); 75 stopped early (resumable); 128 + n stopped at once by a second signal n.
    """


for _command in (run, submit, warmup, status, verify, summarize, boundary, compact, gc, theory, lesson, info):
    cli.add_command(_command)


def invoke(words: list[str], signals: StopSignals) -> NoReturn:
    """Run a command and exit: errors become one message on standard error and an exit code."""
    from gradsim.errors import GradsimError

    try:
        sys.exit(cli.main(words, standalone_mode=False, obj=signals) or 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except GradsimError as error:
        click.echo(f"gradsim: {error}", err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("gradsim: stopped.", err=True)
        sys.exit(EXIT_STOPPED)
