#!/usr/bin/env python3
"""MNN networks against the answers MNN itself gave (tests/oracles/mnn.tar.xz).

    python3 tests/mnn_test.py [--binary build/test/bin/athanor] [--device cpu]

Prints one line per failure and "N passed, N failed, N skipped".
"""
import io
import sys
import tarfile

import numpy as np

from models_test import ROOT, run_parts

MAX_REL_L2 = 1e-4

# Where MNN 3.6.1 departs from what its file says, the ONNX source of the file counts.
BY_SOURCE = {
    "less",  # gives 0 for some smaller numbers that are broadcast
    "resize_cubic",  # moves the picture
}


def difference(got, want):
    if got.shape != want.shape:
        return f"{list(got.shape)}; expected {list(want.shape)}"
    got, want = got.ravel().astype(np.float64), want.ravel().astype(np.float64)
    error = np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-9)
    return None if error <= MAX_REL_L2 else f"rel-L2 {error:.2e}"


def corpus(runner, folder):
    with tarfile.open(ROOT / "tests" / "oracles" / "mnn.tar.xz") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    for name in sorted(file[:-4] for file in files if file.endswith(".mnn")):
        (folder / f"{name}.mnn").write_bytes(files[f"{name}.mnn"])
        with np.load(io.BytesIO(files[f"{name}.npz"])) as saved:
            arrays = {key: saved[key] for key in saved.files}
        of = lambda kind: {key.split("|")[1]: value for key, value in arrays.items() if key.startswith(kind)}
        # Truth and 64-bit integers are 32-bit ones there.
        inputs = {key: value if value.dtype == np.float32 else value.astype(np.int32) for key, value in of("in|").items()}
        try:
            got = runner.run(folder / f"{name}.mnn", inputs)
        except RuntimeError as error:
            yield name, str(error)
            continue
        want = of("onnx|") if name in BY_SOURCE else of("mnn|")
        problems = [f"{key}: {what}" for key in want if (what := difference(got[key], want[key]))]
        yield name, ", ".join(problems) or None


if __name__ == "__main__":
    sys.exit(run_parts(__doc__, [corpus], []))
