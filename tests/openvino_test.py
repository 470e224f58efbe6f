#!/usr/bin/env python3
"""OpenVINO networks in both directions, against the answers OpenVINO itself gave (tests/oracles).

    python3 tests/openvino_test.py [--binary build/test/bin/athanor] [--device cpu]

Read: networks that OpenVINO wrote (openvino.tar.gz). Written: `athanor convert -o NAME.xml` of networks of the zoo,
which OpenVINO ran (openvino.npz). Prints one line per failure and "N passed, N failed, N skipped".
"""
import argparse
import io
import pathlib
import sys
import tarfile
import tempfile

import numpy as np

from models_test import ROOT, Runner, random_tensor

MAX_REL_L2 = 1e-4
ORACLES = ROOT / "tests" / "oracles"


def local_response(x):
    """LRN-1 over 3 channels: alpha 0.3, beta 0.7, bias 1.5."""
    squares = np.pad(x.astype(np.float64) ** 2, ((0, 0), (1, 1), (0, 0), (0, 0)))
    total = sum(squares[:, i:i + x.shape[1]] for i in range(3))
    return (x / (1.5 + 0.3 / 3 * total) ** 0.7).astype(np.float32)


# Where the CPU plug-in that answered (2026.4.1) departs from OpenVINO's own specification, the specification counts.
# `Model.evaluate`, which runs OpenVINO's reference code, gives these answers too (LRN has none).
BY_SPECIFICATION = {
    # Convert-1 gives the destination type, f16; the plug-in leaves out a pair of conversions.
    "convert": lambda x: {"out1": x.astype(np.float16).astype(np.float32)},
    # Divide-1: m_pythondiv is floor division; the plug-in divides towards zero.
    "divide_integers": lambda x: {"out0": x // np.array([3, -3, 2])},
    # LRN-1: the plug-in keeps the bias as an integer, 1 for 1.5.
    "lrn": lambda x: {"out0": local_response(x)},
    # StridedSlice-1: x[new, 1, :]; the plug-in gives memory that nothing was written to, other numbers each time.
    "strided_slice_axes": lambda x: {"out0": x[None, 1]},
}


def difference(got, want):
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{list(got.shape)}; OpenVINO gave {want.dtype}{list(want.shape)}"
    if want.dtype.kind != "f":
        return None if np.array_equal(got, want) else "other integers"
    got, want = got.ravel().astype(np.float64), want.ravel().astype(np.float64)
    error = np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-9)
    return None if error <= MAX_REL_L2 else f"rel-L2 {error:.2e}"


def answer(runner, model, inputs, expected):
    """What is wrong with the model's answers; nothing when they are those expected."""
    try:
        outputs = runner.run(model, inputs)
    except RuntimeError as error:
        return str(error)
    if set(outputs) != set(expected):
        return f"outputs {sorted(outputs)}; OpenVINO has {sorted(expected)}"
    problems = [f"{name}: {what}" for name in expected if (what := difference(outputs[name], expected[name]))]
    return ", ".join(problems) or None


def networks_of_openvino(runner, folder):
    with tarfile.open(ORACLES / "openvino.tar.gz") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    for name in sorted(file[:-4] for file in files if file.endswith(".xml")):
        for ending in (".xml", ".bin"):
            (folder / f"{name}{ending}").write_bytes(files[name + ending])
        with np.load(io.BytesIO(files[f"{name}.npz"])) as saved:
            arrays = {key: saved[key] for key in saved.files}
        inputs = {key[3:]: value for key, value in arrays.items() if key.startswith("in|")}
        expected = {key: value for key, value in arrays.items() if not key.startswith("in|")}
        if name in BY_SPECIFICATION:
            expected |= BY_SPECIFICATION[name](inputs["in0"])
        yield f"{name} from OpenVINO", answer(runner, folder / f"{name}.xml", inputs, expected)
        # What is read can be written again, or is refused with a reason.
        again = folder / f"{name}_again.xml"
        try:
            runner.call("convert", folder / f"{name}.xml", "-o", again, "--no-check")
        except RuntimeError as error:
            yield f"{name} refused", None if "ATH-2401" in str(error) else str(error)
            continue
        yield f"{name} written again", answer(runner, again, inputs, expected)


def networks_of_the_zoo(runner, folder):
    recorded = np.load(ORACLES / "openvino.npz")
    for key in recorded.files:
        if key == "version":
            continue
        network, name, shape, output = key.split("|")
        xml = folder / f"{network}.xml"
        runner.call("convert", f"zoo:{network}", "-o", xml, "--no-check")
        array = random_tensor(name, np.float32, list(map(int, shape.split(","))), -1.0, 1.0)
        yield f"{network} as OpenVINO runs it", answer(runner, xml, {name: array}, {output: recorded[key]})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner = Runner(options, folder)
        for part in (networks_of_openvino, networks_of_the_zoo):
            for what, problem in part(runner, folder):
                passed += problem is None
                failed += problem is not None
                if problem is not None:
                    print(f"FAIL {what}: {problem}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
