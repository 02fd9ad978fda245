"""Published numbers, recomputed: each claim of the literature with a verdict.

The claims are data, ``gradsim_data/claims/*.toml``, one file a source.
"""

from gradsim.validation.claims import Claim, Source, load
from gradsim.validation.referee import validate
from gradsim.validation.verdicts import VERDICTS

__all__ = ["VERDICTS", "Claim", "Source", "load", "validate"]
