"""Settings of all tests.

Compilation makes many objects that stay: with rarer collections of garbage it takes a tenth less time.
"""

from __future__ import annotations

import gc

gc.set_threshold(50_000, 20, 20)
