#!/usr/bin/env python3
"""Models of Core ML, against what torch and NumPy answer for the same layers (tests/oracles/coreml.tar.xz).

    python3 tests/coreml_test.py [--binary build/test/bin/athanor] [--device cpu] [--filter TEXT]

Prints one line per failure and "N passed, N failed, N skipped".
"""
import io
import sys

import numpy as np

from paddle_test import difference
from tally import check_recorded


def check(runner, folder, files, name):
    model = folder / f"{name}.mlmodel"
    model.write_bytes(files[model.name])
    with np.load(io.BytesIO(files[f"{name}.npz"])) as recorded:
        arrays = {key: recorded[key] for key in recorded.files}
    got = runner.run(model, {key.removeprefix("in|"): array for key, array in arrays.items() if key.startswith("in|")})
    wanted = {key.removeprefix("out|"): array for key, array in arrays.items() if key.startswith("out|")}
    if wanted.keys() != got.keys():
        return f"outputs {sorted(got)}; expected {sorted(wanted)}"
    texts = {key for key, want in wanted.items() if want.dtype.kind == "U"}
    problems = [f"{key}: {got[key]}; expected {wanted[key]}" for key in texts if list(map(str, got[key].ravel())) != list(wanted[key].ravel())]
    problems += [f"{key}: {what}" for key, want in wanted.items() if key not in texts and (what := difference(got[key], want))]
    return ", ".join(problems) or None


if __name__ == "__main__":
    sys.exit(check_recorded(__doc__, "coreml", check))
