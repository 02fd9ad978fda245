"""The result of a check: tables, verdicts, and both as text."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import pandas as pd

from gradsim.checking.text import described
from gradsim.notebook import facts_html


@dataclass(frozen=True, repr=False)
class Check:
    """What a model's initialisation does, measured over networks of different seeds.

    All logarithms are natural. Numbers of a module with several calls are averages over them, those of a batch averages
    over samples.

    Attributes
    ----------
    networks, seed
        How many were initialised, with seeds from this one on.
    model
        Class of the model.
    verdicts
        A row per fault: rule, places, verdict (a sentence with the remedy), source. Empty where none was found.
    modules
        A row per module, "(model)" for all of it: module, kind (class), family (its name with ``*`` for the index of
        the block), layer (number of the block, from 1), networks; mean and se over networks of log_q: ln mean square of
        the output, log_delta: ln norm of the gradient at it, log_weight_grad: ln norm of the gradient of its weight,
        log_gain: ln mean square of the gradient at it over that at the last of its family; dead, nonfinite: networks
        where the gradient is exactly zero, and where the output is not finite.
    parameters
        A row per parameter: parameter, module, kind, family, layer, shape, fan_in, fan_out, networks; mean, std with
        its standard error, sigma_w = std sqrt(fan_in), kurtosis, law of the entries; log_weight_grad with its standard
        error, dead; presets: those that fit in value and law.
    presets
        A row per matrix and preset whose std it has, with z; the nearest preset where it has none.
    growth
        A row per stream or family of modules, quantity and law of growth: exponents with intervals over seeds.
    laws
        A row per part of the model that gradsim has a law of: log_gain, expected, z; or the reason why there is none.
    """

    networks: int
    seed: int
    model: str
    verdicts: pd.DataFrame
    modules: pd.DataFrame
    parameters: pd.DataFrame
    presets: pd.DataFrame
    growth: pd.DataFrame
    laws: pd.DataFrame

    @property
    def sound(self) -> bool:
        """Whether no rule found a fault."""
        return self.verdicts.empty

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"Check(model={self.model}, networks={self.networks}, verdicts={len(self.verdicts)})"

    def text(self, width: int | None = None) -> str:
        """Return verdicts and the main columns of the tables as text for people.

        Parameters
        ----------
        width
            Characters of a line of the terminal; None for no limit.
        """
        heading = f"{self.model}: {self.networks} networks, seeds {self.seed} to {self.seed + self.networks - 1}"
        return described(heading, vars(self), width)

    def _repr_html_(self) -> str:
        facts = {"networks": self.networks, "modules": len(self.modules), "parameters": len(self.parameters)}
        faults = "".join(f"<li>{escape(sentence)}</li>" for sentence in self.verdicts["verdict"])
        found = f"<ul>{faults}</ul>" if faults else "<p>No fault was found.</p>"
        return facts_html(f"Check of {self.model}", facts) + found
