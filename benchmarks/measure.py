"""How the benchmarks measure: two ways in one run, alternating; medians, their ratio, and each way's peak of memory."""

import json
import multiprocessing
import platform
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent.parent / "stages"))

Way = Callable[[], Any]


def time_alternating(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """The median seconds of each way, after one untimed call of each in every round: the others had the caches."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            way()
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return {name: median(times) for name, times in seconds.items()}


def peak_gib(make_way: Callable[[str], Way], name: str) -> float:
    """The most memory that a process of its own ever holds, torch included, which makes a way and goes it once."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_go_and_tell, (make_way, name)) / 2**20


def report(title: str, rows: list[dict[str, Any]]) -> None:
    """Print a table, and write it beside the benchmark as JSON, with the machine named."""
    machine = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"{title} on {machine}")
    columns = list(rows[0])
    cells = [columns, *([_format(row[column]) for column in columns] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    for row in cells:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    path = Path(sys.argv[0]).with_suffix(".json")
    path.write_text(
        json.dumps({"what": title, "machine": machine, "rows": rows}, indent=2) + "\n",
        encoding="utf-8",
    )


def _go_and_tell(make_way: Callable[[str], Way], name: str) -> int:
    make_way(name)()
    # In KiB, of Linux; getrusage would tell that of the parent, too.
    return int(
        re.findall(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text(encoding="utf-8"))[0]
    )


def _format(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
