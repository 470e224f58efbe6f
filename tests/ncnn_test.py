#!/usr/bin/env python3
"""What `athanor convert -o NAME.param` writes, against the answers ncnn itself gave for it (tests/oracles/ncnn.npz).

    python3 tests/ncnn_test.py [--binary build/test/bin/athanor]

Prints one line per failure and "N passed, N failed, N skipped".
"""
import sys

import numpy as np

from models_test import ROOT, random_tensor, run_parts

MAX_REL_L2 = 1e-4


def zoo_networks(runner, folder):
    recorded = np.load(ROOT / "tests" / "oracles" / "ncnn.npz")
    for key in recorded.files:
        if key == "version":
            continue
        network, name, shape, output = key.split("|")
        param = folder / f"{network}.param"
        runner.call("convert", f"zoo:{network}", "-o", param, "--no-check")
        array = random_tensor(name, np.float32, [1, *map(int, shape.split(","))], -1.0, 1.0)
        got = runner.run(param, {name: array})[output].ravel().astype(np.float64)
        want = recorded[key].ravel().astype(np.float64)
        error = np.linalg.norm(got - want) / np.linalg.norm(want)
        yield f"{network} as ncnn runs it", None if error <= MAX_REL_L2 else f"rel-L2 {error:.2e}"


if __name__ == "__main__":
    sys.exit(run_parts(__doc__, [zoo_networks], []))
