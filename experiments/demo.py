"""``python -m experiments demo``: both main jobs on real input, with pictures."""

from __future__ import annotations

import argparse
import multiprocessing
import time
from pathlib import Path

from experiments import demo_planning, demo_sparse


def compile_ahead() -> None:
    """Compile both halves at once, so that no measurement pays for it; later runs load the code."""
    other = multiprocessing.get_context("spawn").Process(target=demo_sparse.warm_up)
    other.start()
    demo_planning.warm_up()
    other.join()
    demo_sparse.warm_up()  # loads what the other process compiled


def main(arguments: list[str]) -> None:
    """Run both halves and say where the pictures are."""
    parser = argparse.ArgumentParser(prog="python -m experiments demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output/demo"))
    parser.add_argument("--map", type=Path, default=None, help="a ROS map_server yaml file")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    compile_ahead()
    print("== A sparse model, certified ==")
    pictures = demo_sparse.run(options.output)
    print("\n== A robot among moving obstacles ==")
    pictures += demo_planning.run(options.output, options.map)
    print(f"\nDone in {time.perf_counter() - began:.0f} s. Look at:")
    for picture in pictures:
        print(f"  {picture}")
