#!/usr/bin/env python3
"""Models of Core ML, against what torch and NumPy answer for the same layers (tests/oracles/coreml.tar.xz), and ML Programs
against torch (tests/oracles/coreml_programs.tar.xz); those with compressed weights, branches and loops
against NumPy (tests/oracles/coreml_weights.tar.xz and coreml_control.tar.xz).

    python3 tests/coreml_test.py [--binary build/test/bin/athanor] [--device cpu] [--filter TEXT]

Prints one line per failure and "N passed, N failed, N skipped".
"""
import io
import sys

import numpy as np

from paddle_test import MAX_REL_L2, difference
from tally import check_recorded


HALF = 5e-3  # of answers in 16 bits


def check_program(runner, folder, files, name):
    """As a package: the model, and its weights in a file of their own."""
    package = folder / f"{name}.mlpackage"
    place = package / "Data" / "com.apple.CoreML"
    (place / "weights").mkdir(parents=True)
    (place / "model.mlmodel").write_bytes(files[f"{name}.mlmodel"])
    (place / "weights" / "weight.bin").write_bytes(files[f"{name}.bin"])
    return compare(runner, package, files, name, HALF if name.endswith("_half") else MAX_REL_L2)


def check(runner, folder, files, name):
    model = folder / f"{name}.mlmodel"
    model.write_bytes(files[model.name])
    return compare(runner, model, files, name)


def compare(runner, model, files, name, limit=MAX_REL_L2):
    with np.load(io.BytesIO(files[f"{name}.npz"])) as recorded:
        arrays = {key: recorded[key] for key in recorded.files}
    got = runner.run(model, {key.removeprefix("in|"): array for key, array in arrays.items() if key.startswith("in|")})
    wanted = {key.removeprefix("out|"): array for key, array in arrays.items() if key.startswith("out|")}
    if wanted.keys() != got.keys():
        return f"outputs {sorted(got)}; expected {sorted(wanted)}"
    texts = {key for key, want in wanted.items() if want.dtype.kind == "U"}
    problems = [f"{key}: {got[key]}; expected {wanted[key]}" for key in texts if list(map(str, got[key].ravel())) != list(wanted[key].ravel())]
    problems += [f"{key}: {what}" for key, want in wanted.items() if key not in texts and (what := difference(got[key], want, limit))]
    return ", ".join(problems) or None


if __name__ == "__main__":
    sys.exit(check_recorded(__doc__, {"coreml": check, "coreml_programs": check_program, "coreml_weights": check_program,
                                       "coreml_control": check_program}))
