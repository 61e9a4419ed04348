"""``python -m experiments NAME``: run one experiment; without a name, list them."""

import importlib
import sys

EXPERIMENTS = {
    "all": "all figures of the block coordinate descent paper, with their claims",
    **{f"fig{k}": f"figure {k} of the paper" for k in range(4, 14)},
    "estimators": "which estimator has which feature, each cell tried",
    "demo": "both main jobs on real input, with pictures",
    "label_propagation": "solvers of graph systems against their peers, time and memory",
    "linear_models": "races of sparse linear models against their peers",
    "replanning": "planners that repair against planners that start over, on discs and maps",
    "identification": "when the active set is found, beside the theory",
    "rule_costs": "time of an iteration: numpy, the engine, scan and heap",
    "spread": "what the values of two claims depend on: other draws of the data",
    "sklearn_tests": "scikit-learn's own tests with our classes in place",
    "startup": "import times and first calls, with a cold and a warm cache",
    "fmtx_vs_rrtx": "FMTx against RRTx over samples, obstacles and radius, with box plots",
    "optimality": "cost against samples beside the true optimum, before and after a change",
}


def main() -> None:
    """Hand the remaining arguments to the experiment that was named."""
    if len(sys.argv) < 2 or sys.argv[1] not in EXPERIMENTS:
        print("usage: python -m experiments NAME [options], NAME one of")
        for name, purpose in EXPERIMENTS.items():
            print(f"  {name:<14} {purpose}")
        raise SystemExit(2)
    name, arguments = sys.argv[1], sys.argv[2:]
    if name == "all" or name.startswith("fig"):
        importlib.import_module("experiments.paper.figures").main(name, arguments)
    else:
        importlib.import_module(f"experiments.{name}").main(arguments)


if __name__ == "__main__":
    main()
