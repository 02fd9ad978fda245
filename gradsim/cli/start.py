"""Commands for the first minutes: a sweep file to begin with, and completion in the shell."""

from __future__ import annotations

import os
from pathlib import Path

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def new(file: Path) -> None:
    """Write a sweep file to begin with.

    FILE, such as sweep.toml, must not be there yet. Every key is in it, with what it means and may be; those with
    defaults are commented out. Change it, then:

    \b
      gradsim run sweep.toml --dry-run    what it takes
      gradsim run sweep.toml
    """
    from importlib import resources

    from gradsim.errors import SweepFileError

    text = (resources.files("gradsim_data") / "new.toml").read_bytes()
    try:
        with file.open("xb") as opened:
            opened.write(text)
    except FileExistsError:
        raise SweepFileError(f"{file}: the file is there already. Take another name; nothing was changed.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise SweepFileError(f"{file}: the file cannot be written: {reason}. Check the path.") from None
    click.echo(f"{file} is written. See what it takes: gradsim run {file} --dry-run")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS), required=False)
@click.pass_context
def completion(context: click.Context, shell: str | None) -> None:
    """Print the script that completes gradsim's commands in a shell.

    \b
    Switch it on for good, and open a new shell:
      bash  echo 'eval "$(gradsim completion bash)"' >> ~/.bashrc
      zsh   echo 'eval "$(gradsim completion zsh)"' >> ~/.zshrc
      fish  gradsim completion fish > ~/.config/fish/completions/gradsim.fish

    Without SHELL it is the one that $SHELL names.
    """
    from click.shell_completion import get_completion_class

    shell = shell or Path(os.environ.get("SHELL", "")).name
    found = get_completion_class(shell) if shell in SHELLS else None
    if found is None:
        allowed = ", ".join(SHELLS)
        raise click.UsageError(f"The shell {shell!r} is not known. Name one: {allowed}.")
    click.echo(found(context.find_root().command, {}, "gradsim", "_GRADSIM_COMPLETE").source())
