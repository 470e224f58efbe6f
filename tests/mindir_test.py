#!/usr/bin/env python3
"""Networks of MindSpore, against what MindSpore answered (tests/oracles/mindir.tar.xz).

    python3 tests/mindir_test.py [--binary build/test/bin/athanor] [--device cpu] [--filter TEXT]

Prints one line per failure and "N passed, N failed, N skipped".
"""
import io
import json
import sys

import numpy as np

from paddle_test import difference
from tally import check_recorded


def check(runner, folder, files, name):
    model = folder / f"{name}.mindir"
    model.write_bytes(files[model.name])
    with np.load(io.BytesIO(files[f"{name}.npz"])) as recorded:
        arrays = {key: recorded[key] for key in recorded.files}
    described = json.loads(runner.call("inspect", model, "--json"))
    got = runner.run(model, {entry["name"]: arrays[f"in|{i}"] for i, entry in enumerate(described["inputs"])})
    names = [entry["name"] for entry in described["outputs"]]
    wanted = [array for key, array in arrays.items() if key.startswith("out|")]
    if len(names) != len(wanted):
        return f"{len(names)} outputs; expected {len(wanted)}"
    return ", ".join(f"{key}: {what}" for key, want in zip(names, wanted) if (what := difference(got[key], want))) or None


if __name__ == "__main__":
    sys.exit(check_recorded(__doc__, {"mindir": check}))
