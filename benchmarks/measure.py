"""Measurements of the benchmarks: medians of alternating runs, and the peak of memory."""

import argparse
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "stages"))

from automedsam.runtime.compute import choose_compute

Way = Callable[[], Any]  # one way to do the measured work


def has_bf16() -> bool:
    """Whether the processor computes in bf16; others emulate it slowly."""
    return choose_compute("cpu", use_amp=True).dtype == torch.bfloat16


def parse_arguments(description: str | None) -> argparse.Namespace:
    """Parse the command line of a benchmark without options: --help prints the description."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    return parser.parse_args()


def time_alternating(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """The median seconds of each way.

    The ways alternate. Each timed call follows an untimed one, because the previous way has filled
    the caches of the processor.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            way()
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return {name: median(times) for name, times in seconds.items()}


def compare(ways: dict[str, Way], rounds: int) -> list[dict[str, Any]]:
    """Time and result of each way, a tensor, in relation to those of the first; a row per way."""
    first = next(iter(ways))
    expected = ways[first]()
    seconds = time_alternating(ways, rounds)
    return [
        {
            "way": name,
            "seconds": seconds[name],
            "times faster": seconds[first] / seconds[name],
            "relative error": ((way() - expected).norm() / expected.norm()).item(),
        }
        for name, way in ways.items()
    ]


def peak_gib(make_way: Callable[[str], Way], name: str) -> float:
    """The peak of memory in GiB, torch included, of a new process that runs one way once."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run_once, (make_way, name)) / 2**20


def report(title: str, rows: list[dict[str, Any]]) -> None:
    """Print a table with the name of the machine, and write it as JSON next to the benchmark."""
    processor = platform.processor() or platform.machine()
    machine = f"{processor}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"{title} on {machine}")
    columns = list(rows[0])
    cells = [columns, *([_format(row[column]) for column in columns] for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())
    content = {"what": title, "machine": machine, "rows": rows}
    path = Path(sys.argv[0]).with_suffix(".json")
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _run_once(make_way: Callable[[str], Way], name: str) -> int:
    """Run one way, and return the peak of memory of this process in KiB, on Linux."""
    make_way(name)()
    # Not `getrusage`, which includes the memory of the parent process.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.findall(r"VmHWM:\s*(\d+)", status)[0])


def _format(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
