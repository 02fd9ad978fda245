"""A run: its tables, and what can be done with its directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

from gradsim.dataset import maintenance, verification
from gradsim.dataset.dataset import Dataset
from gradsim.notebook import facts_html
from gradsim.runs import export, refining, reporting
from gradsim.runs.computing import Means
from gradsim.runs.placement import checked_path
from gradsim.runs.reading import Results
from gradsim.system.progress import Mode
from gradsim.system.streams import counted


class Refined(NamedTuple):
    """What `Run.refine` returns: the refined run, and how well its boundaries are known."""

    run: Run
    precision: refining.Precision


class Run(Results):
    """The results of a sweep in a directory, made by `run` or `open`.

    Each table is read from what is committed at that moment, so a run under way can be inspected.

    Parameters
    ----------
    dataset
        The dataset on disk.
    computed
        Number of networks that this call of `run` computed.
    """

    def __init__(self, dataset: Dataset, computed: int = 0) -> None:
        super().__init__(dataset)
        self.computed = computed

    def __repr__(self) -> str:
        done, plan = len(self.dataset.committed()), self.dataset.plan
        cells, shards = counted(len(plan.cells), "cell"), counted(plan.shard_count, "shard")
        return f"Run({str(self.path)!r}: {cells}, {done} of {shards})"

    def _repr_html_(self) -> str:
        done, plan = len(self.dataset.committed()), self.dataset.plan
        facts: dict[str, object] = {
            "directory": self.path,
            "cells": f"{len(plan.cells):,}",
            "networks": f"{plan.networks:,}",
            "shards done": f"{done:,} of {plan.shard_count:,}",
        }
        if plan.extensions:
            facts["extensions"] = f"{len(plan.extensions)}"
        return facts_html("Run", facts) + self.sweep._repr_html_()

    def refine(
        self,
        target: float,
        *,
        kinds: str | Sequence[str] = "quenched",
        level: float = 0.95,
        engine: Any = "local",
        device: str = "cpu",
        threads: int | None = None,
        progress: Mode = "auto",
        yes: bool = False,
        stop: Event | None = None,
    ) -> Refined:
        """Add cells and networks where boundaries lie, until half the width of each interval is at most ``target``.

        The directory stays a dataset of the same sweep; what is added is a numbered extension of it, which changes no
        earlier number. Missing shards are computed first. After a stop the same call goes on, with any engine.

        Parameters
        ----------
        target : float
            Half-width of an interval to be reached, in sigma_w.
        kinds : str or list of str
            Which boundaries: see `boundary`. Those without an interval, or not to be trusted, are left out.
        level : float
            Probability that an interval covers the boundary.
        engine, device, threads, progress, yes, stop
            As for `gradsim.run`.

        Returns
        -------
        Refined
            ``run``, the run with its extensions; ``precision``, whose ``table`` has a row per boundary: half-widths
            before and now, networks, and those of a uniform grid of the same precision.

        Raises
        ------
        SweepError
            For a wrong value, or if the next extension is more work than may be run without ``yes``; else as `run`.
        """
        means, aim = Means(engine, device, threads, progress, yes, stop), refining.Aim(target, kinds, level)
        dataset, computed, precision = refining.refine(self.dataset, aim, means)
        return Refined(Run(dataset, computed), precision)

    def export(self, output: str | Path, format: str = "csv") -> list[Path]:
        """Write cells, layers, summary and boundary as files of other programs, and return their paths.

        Parameters
        ----------
        output : str or Path
            The folder; files of the same names are replaced.
        format : {"csv", "parquet", "latex", "sql"}
            "latex" writes summary and boundary with their main columns, for booktabs; "sql" writes ``views.sql``, which
            makes the tables of the run's directory views of DuckDB.

        Raises
        ------
        SweepError
            For an unknown format.
        StorageError
            If the files cannot be written.
        """
        out = checked_path("output", output)
        if format not in export.FORMATS or format == "sql":
            return export.write_tables({}, out, format)
        summary = self.summary()
        tables = {"cells": self.cells(), "summary": summary, "boundary": self.boundary(summary=summary)}
        if format != "latex":
            tables["layers"] = self.layers()
        return export.write_tables(tables, out, format)

    def report(self, output: str | Path | None = None, *, lang: str = "en", level: float = 0.95) -> Path:
        """Write the run as one page of HTML that opens offline: diagrams, tables, theory and a verdict.

        Parameters
        ----------
        output : str or Path, optional
            The file, replaced if it exists; its folder is made. Default: ``report.html`` in the run's directory.
        lang : {"en", "zh"}
            Language of the page.
        level : float
            Probability that an interval covers what it estimates.

        Returns
        -------
        Path
            The file: under 6 MB, with the layers of at most 500 cells.

        Raises
        ------
        SweepError
            For an unknown language or a wrong level.
        PlotExtraMissingError
            If what writes pages is not installed.
        StorageError
            If the file cannot be written.
        """
        return reporting.write(self, None if output is None else checked_path("output", output), lang, level)

    def verify(self, progress: Mode = "none", repair: bool = False) -> verification.Verification:
        """Read every byte and row again and compare it with the manifests.

        With ``repair`` the manifests of what is damaged are removed, so that the next run computes it anew.

        Returns
        -------
        Verification
            ``problems``, a sentence for each damaged or missing file; ``digest`` of all values.
        """
        return verification.verify(self.dataset, progress, repair)

    def compact(self, output: str | Path, progress: Mode = "none", partial: bool = False) -> Run:
        """Write the same values with fewer, larger files into a new directory, and return that run.

        Raises
        ------
        OutputError
            If the directory exists and holds anything else, or the run is unfinished and not ``partial``.
        """
        return Run(maintenance.compact(self.dataset, checked_path("output", output), progress, partial))

    def gc(self) -> list[str]:
        """Remove leftovers of killed runs: files that no manifest names. Return their paths in the directory."""
        return maintenance.gc(self.dataset)
