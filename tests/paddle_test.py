#!/usr/bin/env python3
"""PaddlePaddle's programs in both forms, against what PaddlePaddle answered (tests/oracles/paddle.tar.xz).

    python3 tests/paddle_test.py [--binary build/test/bin/athanor] [--device cpu] [--filter TEXT]

Prints one line per failure and "N passed, N failed, N skipped".
"""
import io
import json
import math
import pathlib
import re
import struct
import sys
import tarfile
import tempfile

import numpy as np

from models_test import ROOT, Runner, random_tensor
from tally import Tally, options

MAX_REL_L2 = 1e-4
FORMS = ("pdmodel", "json")


def network_parameter(name, shape):
    """The numbers of a network's parameter: variances and scales lie around 1, weights keep activations in sight of 1."""
    if len(shape) > 1:
        inputs = shape[0] if len(shape) == 2 else math.prod(shape[1:])
        bound = math.sqrt(6 / inputs)
        return random_tensor(name, np.float32, shape, -bound, bound)
    low, high = (0.5, 1.5) if re.search(r"\.w_[02]", name) else (-0.1, 0.1)
    return random_tensor(name, np.float32, shape, low, high)


def varint(number):
    data = b""
    while number >= 0x80:
        data += bytes([number & 0x7F | 0x80])
        number >>= 7
    return data + bytes([number])


def parameter_file(shapes):
    """A .pdiparams file: for each tensor, by name, versions, no sequences, its TensorDesc (f32 and sizes), its elements."""
    data = []
    for name in sorted(shapes):
        desc = b"\x08\x05" + b"".join(b"\x10" + varint(size) for size in shapes[name])
        data += [struct.pack("<IQII", 0, 0, 0, len(desc)), desc, network_parameter(name, shapes[name]).tobytes()]
    return b"".join(data)


def difference(got, want, limit=MAX_REL_L2):
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{list(got.shape)}; expected {want.dtype}{list(want.shape)}"
    if want.dtype.kind in "biu":
        return None if np.array_equal(got, want) else f"{(got != want).sum()} of {got.size} differ"
    got, want = got.ravel().astype(np.float64), want.ravel().astype(np.float64)
    if not np.array_equal(np.isfinite(got), np.isfinite(want)):
        return "infinite or no numbers in other places"
    finite = np.isfinite(want)
    error = np.linalg.norm(got[finite] - want[finite]) / max(np.linalg.norm(want[finite]), 1e-9)
    return None if error <= limit else f"rel-L2 {error:.2e}"


def check(runner, folder, files, name, form, shapes):
    model = folder / f"{name}.{form}"
    model.write_bytes(files[model.name])
    parameters = parameter_file(shapes) if shapes else files.get(f"{name}.{form}.pdiparams")
    if parameters is not None:
        model.with_suffix(".pdiparams").write_bytes(parameters)
    with np.load(io.BytesIO(files[f"{name}.{form}.npz"])) as saved:
        inputs = {key[3:]: saved[key] for key in saved.files if key.startswith("in|")}
        wanted = [saved[f"out|{i}"] for i in range(len(saved.files) - len(inputs))]
    described = json.loads(runner.call("inspect", model, "--json"))
    kept = {entry["name"] for entry in described["inputs"]}
    got = runner.run(model, {key: value for key, value in inputs.items() if key in kept})
    names = [entry["name"] for entry in described["outputs"]]
    if len(names) != len(wanted):
        return f"{len(names)} outputs; expected {len(wanted)}"
    problems = [f"output {i}: {what}" for i, (key, want) in enumerate(zip(names, wanted)) if (what := difference(got[key], want))]
    return ", ".join(problems) or None


def main():
    settings, tally = options(__doc__), Tally()
    with tarfile.open(ROOT / "tests" / "oracles" / "paddle.tar.xz") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    networks = {form: json.loads(files[f"index.{form}.json"]) for form in FORMS}
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place)
        runner = Runner(settings, folder)
        for case in sorted(file for file in files if file.endswith(".npz")):
            name, form, _ = case.rsplit(".", 2)
            if settings.filter in f"{name}.{form}":
                tally.test(f"{name}.{form}", lambda: check(runner, folder, files, name, form, networks[form].get(name)))
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
