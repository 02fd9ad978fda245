"""The referee of published numbers: recompute each with gradsim, and say what comes of it.

The claims are data, ``gradsim_data/claims/*.toml``, one file a source. The module is also the function
:func:`gradsim.validate.referee.validate`: ``gradsim.validate`` names both, whichever is imported first.

>>> import gradsim as gs
>>> gs.validate("he-2015", progress="none")[["id", "verdict"]].head(2)
                         id    verdict
0     he-2015/relu-critical  confirmed
1  he-2015/leaky-critical-1  confirmed
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gradsim.validate.claims import Claim, Source, load
from gradsim.validate.referee import validate
from gradsim.validate.verdicts import VERDICTS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["VERDICTS", "Claim", "Source", "load", "validate"]


class _CallableModule(ModuleType):
    """Importing any part of this package binds ``gradsim.validate`` to the module, so the module is the function."""

    def __call__(self, *arguments: Any, **options: Any) -> pd.DataFrame:
        """Call :func:`gradsim.validate.referee.validate`."""
        return validate(*arguments, **options)


sys.modules[__name__].__class__ = _CallableModule
