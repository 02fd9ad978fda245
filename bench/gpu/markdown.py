"""The tables of bench/README.md, from what the parts found."""

from __future__ import annotations

from typing import Any

from bench.gpu.record import Report


def _spread(row: dict[str, Any]) -> str:
    median, least, most = row["networks_per_second"]
    return f"{median:,} ({least:,} - {most:,})"


def _table(head: str, rows: list[list[Any]]) -> list[str]:
    columns = head.count("|") + 1
    lines = ["", f"| {head} |", "|---" + "|---:" * (columns - 1) + "|"]
    return [*lines, *("| " + " | ".join(map(str, row)) + " |" for row in rows)] if rows else []


def _loading(part: dict[str, Any]) -> list[str]:
    rows = []
    for task, found in part.items():
        for kernel, each in found.get("kernels", {}).items():
            ptx = each.get("ptx_seconds")
            made = "cached" if ptx is None else f"{ptx:.1f}"
            rows.append([f"{task}: {kernel}", made, f"{each['seconds']:.2f}", each["registers"], each["local"]])
    return _table("kernel | PTX, s | driver, s | registers | local bytes", rows)


def _bits(part: dict[str, Any]) -> list[str]:
    rows = []
    for row in part.get("cases", []):
        told = row.get("error") or row["in_blocks_that_differ"]
        rate = row.get("cpu_networks_per_second", 0)
        rows.append([row["case"], f"{row['networks']:,}", told, row.get("digest", ""), f"{rate:,}"])
    return _table("bits beside the CPU | networks | in blocks that differ | digest | CPU, networks/s, all cores", rows)


def _timing(part: dict[str, Any]) -> list[str]:
    lines = []
    for job, found in part.items():
        rows = [[name, _spread(row), row["milliseconds"]] for name, row in found["kernels"].items()]
        lines += _table(f"{job}, {found['networks']:,} networks | networks/s, median (least - most) | ms", rows)
        told = {k: v for k, v in found.items() if k not in ("kernels", "networks")}
        lines += ["", ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in told.items())]
    return lines


def _blocks(part: dict[str, Any]) -> list[str]:
    rows = [
        [job, name, _spread(row), row.get("over_two_cpu_cores", "")]
        for job, found in part.items()
        for name, row in found.items()
    ]
    return _table("whole blocks | run as | networks/s | over two CPU cores", rows)


def _engine(part: dict[str, Any]) -> list[str]:
    if "left_out" in part:
        return ["", f"Whole sweeps were left out: {part['left_out']}"]
    rows = [[name, _spread(row), row["seconds"]] for name, row in part.items() if "seconds" in row]
    return _table("whole sweeps | networks/s | s", rows)


def _torch(part: dict[str, Any]) -> list[str]:
    if "left_out" in part:
        return ["", f"PyTorch was left out: {part['left_out']}"]
    rows = [
        [f"{name}, {job}", _spread(row), row["chunk"], row["z"]]
        for job, found in part.items()
        for name, row in found.items()
        if "chunk" in row
    ]
    return _table("peers on the same GPU | networks/s | at a time | z of the mean", rows)


def over_peers(report: Report) -> dict[str, float]:
    """Networks a second of whole blocks over the best peer's, by job."""
    found = {}
    for job, rows in report.parts.get("blocks", {}).items():
        peers = report.parts.get("PyTorch", {}).get(job.partition(" ")[2], {})
        rates = [row["networks_per_second"][0] for row in peers.values() if "networks_per_second" in row]
        if rates:
            best = max(row["networks_per_second"][0] for row in rows.values())
            found[job] = round(best / max(rates), 2)
    return found


def markdown(report: Report) -> str:
    """All tables, then what differs and what went wrong."""
    parts = report.parts
    lines = [
        ", ".join(f"{name} {value}" for name, value in {**parts.get("machine", {}), **parts.get("gpu", {})}.items())
    ]
    sections = {
        "bits": _bits, "loading": _loading, "timing": _timing, "blocks": _blocks, "engine": _engine, "PyTorch": _torch
    }  # fmt: skip
    for name, section in sections.items():
        lines += section(parts.get(name, {}))
    lines += _table("over the best peer | ratio", [[job, ratio] for job, ratio in over_peers(report).items()])
    for name, found in parts.get("tools", {}).items():
        lines.append(f"\n{name}: {found}")
    lines += [f"\nDIFFERENT: {each}" for each in report.differences]
    lines += [f"\nNot done: {name}: {reason}" for name, reason in report.problems.items()]
    return "\n".join(lines)
