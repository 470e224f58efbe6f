#!/usr/bin/env python3
"""./dev bench brakes: what small operators take of whole networks.

LRN, activations that stand alone, channel shuffles and other transposes, Concat, Resize and reorders into and out of blocks,
as a share of the time of all steps, for every network of the zoo. Per step the fastest run of several profiles counts.
Ends with 3 when they take more than the bar somewhere.
"""
import argparse
import collections
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
BAR = 0.10
SHOWN = 0.01
# By the name of the whole step: an activation behind a convolution is part of that one and costs nothing of its own.
SMALL = {"LRN", "Transpose", "Concat", "Resize", "Upsample", "Reorder", "DepthToSpace", "SpaceToDepth"}
ACTIVATIONS = {"Celu", "Clip", "Elu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu", "Mish", "PRelu", "Relu", "Selu",
               "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh", "ThresholdedRelu"}


def is_small(step):
    """Whether a step, such as "Sigmoid + Mul" or "Concat", is one of those that should cost next to nothing."""
    return step.split(" + ")[0] in SMALL | ACTIVATIONS


def least(profiles):
    """position -> (operator, ms) with the fastest time of each step; profiles of the same plan."""
    steps = {}
    for profile in profiles:
        for node in profile["nodes"]:
            known = steps.get(node["position"])
            ms = node["ms"] if known is None else min(known[1], node["ms"])
            steps[node["position"]] = (node["op"], ms)
    return steps


def shares(steps):
    """(ms of the network, share of the small operators, {operator: share})."""
    total = sum(ms for _, ms in steps.values())
    small = collections.Counter()
    for name, ms in steps.values():
        if is_small(name):
            small[name.split(" + ")[0]] += ms / total
    return total, sum(small.values()), dict(small.most_common())


def ask(athanor, *arguments):
    run = subprocess.run([athanor, *arguments, "--json", "-q"], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise RuntimeError(run.stderr.strip() or f"ended with {run.returncode}")
    return json.loads(run.stdout)


def measure(options, name):
    profiles = [ask(options.athanor, "profile", f"zoo:{name}", "--threads", str(options.threads), "--runs", str(options.runs))
                for _ in range(options.profiles)]
    return shares(least(profiles))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", help="of the zoo; all by default")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=3, help="of one profile")
    parser.add_argument("--profiles", type=int, default=2, help="processes a network")
    parser.add_argument("--athanor", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    options = parser.parse_args()
    names = options.networks or [entry["name"] for entry in ask(options.athanor, "zoo")["models"]]
    below, failed, above = [], 0, 0
    print("| network | ms | share | of it |\n|---|---|---|---|")
    for name in names:
        try:
            total, share, parts = measure(options, name)
        except RuntimeError as why:
            print(f"{name}: {why}", file=sys.stderr)
            failed += 1
            continue
        above += share > BAR
        if share < SHOWN:
            below.append(name)
            continue
        text = ", ".join(f"{op} {100 * part:.1f}" for op, part in parts.items() if part >= 0.0005)
        print(f"| {name} | {total:.3g} | {100 * share:.1f} %{' ABOVE' if share > BAR else ''} | {text} |", flush=True)
    print(f"\nBelow {100 * SHOWN:.0f} %: {', '.join(below) or 'none'}.")
    print(f"{above} of {len(names) - failed} networks above {100 * BAR:.0f} %" + (f", {failed} not measured" if failed else ""))
    return 3 if above else 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
