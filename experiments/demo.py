"""``python -m experiments demo``: both main jobs on real input, with pictures."""

from __future__ import annotations

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from experiments import demo_planning, demo_sparse
from problems.worlds import OccupancyGrid


def main(arguments: list[str]) -> None:
    """Run both halves and say where the pictures are."""
    parser = argparse.ArgumentParser(prog="python -m experiments demo", description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("output/demo"))
    parser.add_argument("--map", type=Path, default=None, help="a ROS map_server yaml file")
    options = parser.parse_args(arguments)
    if options.map is not None:
        try:  # said before any work
            grid = OccupancyGrid.from_ros(options.map, robot_radius=demo_planning.ROBOT_RADIUS)
        except (OSError, ValueError) as error:
            parser.error(str(error))
        if grid.arrays().blocked.all():
            robot = f"a robot of {demo_planning.ROBOT_RADIUS} m radius"
            parser.error(f"{options.map}: must have a cell that is free for {robot}, got none.")
    options.output.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as helper:
        # both halves are compiled at once, so that no measurement pays for it
        compiling = helper.submit(demo_sparse.warm_up)
        demo_planning.warm_up()
        compiling.result()
        print("== A sparse model, certified ==")
        rows, names = demo_sparse.measure()
        pictures = [options.output / "sparse_model.png"]
        drawing = helper.submit(demo_sparse.draw, rows, names, pictures[0])
        print("\n== A robot among moving obstacles ==")
        pictures += demo_planning.run(options.output, options.map)
        drawing.result()
    print(f"\nDone in {time.perf_counter() - began:.0f} s. Look at:")
    for picture in pictures:
        print(f"  {picture}")
