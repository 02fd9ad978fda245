"""All commands, and their errors as messages and exit codes. Each is a thin layer over the Python interface."""

from __future__ import annotations

import io
import sys
import traceback
from typing import NoReturn

import click

from gradsim.cli.check import check
from gradsim.cli.coordcheck import coordcheck
from gradsim.cli.inspect import boundary, layers, status, summarize
from gradsim.cli.jacobian import jacobian
from gradsim.cli.lesson import lesson
from gradsim.cli.maintain import compact, export, gc, verify
from gradsim.cli.messages import asks_for_json, error_event, report_error
from gradsim.cli.recommend import recommend
from gradsim.cli.refine import refine
from gradsim.cli.report import report
from gradsim.cli.run import run, warmup
from gradsim.cli.start import completion, new
from gradsim.cli.submit import submit
from gradsim.cli.theory import info, theory
from gradsim.cli.validate import validate
from gradsim.system import streams
from gradsim.system.signals import EXIT_STOPPED, StopSignals, leave
from gradsim.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gradsim")
def cli() -> None:
    """Simulate back-propagated gradients in deep random networks: do they vanish, explode, or survive?

    \b
    First steps:
      gradsim run phase-tanh --out out/phase-tanh    the classic phase diagram, about two minutes
      gradsim boundary out/phase-tanh                its boundary, compared with theory
      gradsim report out/phase-tanh                  all of it as one page to look at
      gradsim theory gelu --sigma-b 0.2              theory alone, without simulation
      gradsim recommend --activation gelu --depth 64 --width 512    which sigma_w to set
      gradsim check mymodels.py:build                is a PyTorch model initialised well?
      gradsim new sweep.toml                         a sweep of your own to begin with

    Exit codes: 0 done; 1 unexpected error; 2 wrong usage or configuration; 3 some shards failed; 4 damaged data, a
    claim that failed, or a model with a fault; 5 full disk or I/O error (resumable); 75 stopped early, or a GPU failed
    (resumable); 128 + n stopped at once by a second signal n.
    """


for _command in (
    new,
    run,
    submit,
    warmup,
    status,
    verify,
    summarize,
    boundary,
    refine,
    layers,
    report,
    export,
    compact,
    gc,
    theory,
    jacobian,
    recommend,
    check,
    coordcheck,
    lesson,
    validate,
    info,
    completion,
):
    cli.add_command(_command)


def invoke(words: list[str], signals: StopSignals) -> NoReturn:
    """Run a command and exit: errors become one message on standard error and an exit code."""
    with streams.results():
        code = _exit_code(words, signals)
    if signals.event.is_set():
        leave(code)
    sys.exit(code)


def _exit_code(words: list[str], signals: StopSignals) -> int:
    """Run a command; return its exit code once an error has been reported."""
    from gradsim.errors import GradsimError, Interrupted

    as_json = asks_for_json(words)
    try:
        return int(cli.main(words, "gradsim", standalone_mode=False, obj=signals) or 0)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        streams.say(error_event(type(error).__name__, error.format_message()) if as_json else text.getvalue().rstrip())
        return error.exit_code
    except GradsimError as error:
        report_error(type(error).__name__, str(error), as_json)
        if isinstance(error, Interrupted) and not as_json:
            streams.say(signals.resume)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        report_error("Interrupted", f"stopped. {signals.resume}".rstrip(), as_json)
        return EXIT_STOPPED
    except Exception:
        if not as_json:
            raise
        report_error("UnexpectedError", traceback.format_exc(), as_json)
        return 1
