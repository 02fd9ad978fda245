"""Progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import io

from gradsim.system import progress


def test_progress_is_a_bar_or_a_line_now_and_then(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    with progress.Share("bars", stream=(bar := Terminal())) as share:
        share.add(0.5)
        share.add(0.7)  # rounding may give a little more than the whole
    assert bar.getvalue().count("bars") >= 1
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    with progress.Share("bars", stream=(lines := io.StringIO())) as share:
        share.add(0.25)
    assert lines.getvalue() == "bars:  25%, 0 s\n"
    with progress.Share("bars", "none", lines) as share:
        share.add(0.25)
    assert lines.getvalue() == "bars:  25%, 0 s\n"
