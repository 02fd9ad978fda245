"""Build the documentation site, offline: `python docs/build.py` writes build/docs/html/index.html.

The sources are gathered in build/docs/source first, pages of other folders among them, so that nothing generated
lies in the working tree. With ``--quick`` no example and no notebook is executed; a folder replaces build/docs.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
PAGES = {"core/README.md": "architecture.md", "bench/README.md": "benchmarks.md", "CHANGELOG.md": "changelog.md"}
"""Pages that do not lie in docs/, and their names on the site."""

_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")


def gather(source: Path) -> None:
    """Copy every page into one folder, with links that lead to where pages lie on the site."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source, ignore=shutil.ignore_patterns("build.py", "__pycache__", "auto_gallery"))
    for path, name in PAGES.items():
        shutil.copy(ROOT / path, source / name)
    (source / "reference" / "commands.md").write_text(commands_page(), "utf-8")
    for page in source.rglob("*.md"):
        place = page.relative_to(source).as_posix()
        origin = next((path for path, name in PAGES.items() if name == place), f"docs/{place}")
        text = page.read_text("utf-8").replace("```ladder\n", "```text\n")
        page.write_text(_relinked(text, PurePosixPath(origin), PurePosixPath(place)), "utf-8")


def commands_page() -> str:
    """Return a page with the help of every command, as the terminal shows it."""
    from click import Context

    from gradsim.cli.commands import cli

    top = Context(cli, info_name="gradsim", max_content_width=100)
    pages = [("gradsim", cli.get_help(top))]
    for name in cli.list_commands(top):
        command = cli.commands[name]
        pages.append((f"gradsim {name}", command.get_help(Context(command, top, name, max_content_width=100))))
    return "# The command line\n" + "".join(f"\n## {name}\n\n```text\n{text}\n```\n" for name, text in pages)


def _relinked(text: str, origin: PurePosixPath, place: PurePosixPath) -> str:
    """A page's text with its links changed; what is not on the site keeps its name without a link."""

    def link(found: re.Match[str]) -> str:
        words, target, anchor = found[1], found[2], found[3] or ""
        path = PurePosixPath(os.path.normpath(origin.parent / target)).as_posix()
        if path in PAGES:
            path = f"docs/{PAGES[path]}"
        if not path.startswith("docs/"):
            return words
        return f"[{words}]({os.path.relpath(path.removeprefix('docs/'), place.parent)}{anchor})"

    return _LINK.sub(link, text)


def main(words: list[str]) -> int:
    """Gather the pages and build them; warnings are errors."""
    from sphinx.cmd.build import main as sphinx

    quick = ["-D", "plot_gallery=0", "-D", "nb_execution_mode=off"] if "--quick" in words else []
    out = Path(next((word for word in words if word != "--quick"), ROOT / "build" / "docs"))
    gather(out / "source")
    folders = [str(out / name) for name in ("doctrees", "source", "html")]
    return sphinx(["-W", "--keep-going", "-q", "-b", "html", "-d", *folders[:1], *quick, *folders[1:]])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
