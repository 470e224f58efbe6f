# SPDX-License-Identifier: Apache-2.0
"""Converts small networks with MNN's converter, runs them in MNN, and records both as mnn.tar.xz.

    python tests/oracles/record_mnn.py [NAME...]                     # writes mnn.tar.xz
    python tests/oracles/record_mnn.py --zoo ATHANOR NETWORK...      # compares athanor with MNN on networks of the zoo

Per case: NAME.mnn and NAME.npz with inputs "in|NAME", MNN's answers "mnn|NAME" and those of ONNX Runtime for the
source "onnx|NAME". The converter is called through its extension module: MNN.tools.mnnconvert would install packages
and report to its makers. tests/mnn_test.py reads the archive.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import _tools
import numpy as np
import onnx
import onnxruntime as ort
from MNN import expr, nn

from oracle_common import random_tensor

ARCHIVE = Path(__file__).resolve().parent / "mnn.tar.xz"


def convert(source, target, flags=()):
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", str(source), "--MNNModel", str(target), "--bizCode", "athanor", *flags])


def run_mnn(path, inputs, outputs):
    module = nn.load_module_from_file(str(path), list(inputs), outputs, precision_mode=expr.PrecisionMode.High)
    values = []
    for array in inputs.values():
        real = array.dtype == np.float32
        values.append(expr.const((array if real else array.astype(np.int32)).ravel().tolist(), list(array.shape), expr.NCHW, expr.float if real else expr.int))
    answers = {}
    for name, value in zip(outputs, module.forward(values)):
        if value.data_format == expr.NC4HW4:
            value = expr.convert(value, expr.NCHW)
        answers[name] = np.array(value.read())
    return answers


def run_onnx(path, inputs, outputs):
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(zip(outputs, session.run(outputs, inputs)))


def alone(work, *arguments):
    """In a process of its own: a converter that does not like a network ends its process."""
    child = os.fork()
    if child == 0:
        try:
            work(*arguments)
            os._exit(0)
        except BaseException as error:  # noqa: BLE001
            print(f"{arguments[0]}: {error}", flush=True)
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def record(name, folder):
    from mnn_cases import CASES, inputs_of

    model, flags = CASES[name]
    onnx.save(model, folder / f"{name}.onnx")
    convert(folder / f"{name}.onnx", folder / f"{name}.mnn", flags)
    inputs, outputs = inputs_of(name), [output.name for output in model.graph.output]
    saved = {f"in|{key}": value for key, value in inputs.items()}
    saved |= {f"mnn|{key}": value for key, value in run_mnn(folder / f"{name}.mnn", inputs, outputs).items()}
    saved |= {f"onnx|{key}": value for key, value in run_onnx(folder / f"{name}.onnx", inputs, outputs).items()}
    np.savez_compressed(folder / f"{name}.npz", **saved)


def record_cases(names):
    from mnn_cases import CASES

    with tempfile.TemporaryDirectory() as folder, tarfile.open(ARCHIVE, "w:xz") as tar:
        missing = []
        for name in names or sorted(CASES):
            if not alone(record, name, Path(folder)):
                missing.append(name)
                continue
            for ending in ("mnn", "npz"):
                data = Path(folder, f"{name}.{ending}").read_bytes()
                info = tarfile.TarInfo(f"{name}.{ending}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    print(f"{len(CASES) - len(missing)} recorded; MNN cannot do {missing}")


def compare_network(network, athanor, folder):
    source, target = folder / f"{network}.onnx", folder / f"{network}.mnn"
    subprocess.run([athanor, "convert", f"zoo:{network}", "-o", source, "--no-check"], check=True, capture_output=True)
    convert(source, target)
    session = ort.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    first = session.get_inputs()[0]
    array = random_tensor(first.name, "float32", [d if isinstance(d, int) else 1 for d in first.shape], -1.0, 1.0)
    outputs = [output.name for output in session.get_outputs()]
    np.save(folder / "in.npy", array)
    subprocess.run([athanor, "run", target, "--input", f"{first.name}={folder / 'in.npy'}", "--save", folder / "out.npz"], check=True, capture_output=True)
    ours = np.load(folder / "out.npz")
    for peer, answers in (("MNN", run_mnn(target, {first.name: array}, outputs)), ("ONNX Runtime", dict(zip(outputs, session.run(outputs, {first.name: array}))))):
        for name in outputs:
            error = np.linalg.norm(ours[name].astype(np.float64) - answers[name]) / np.linalg.norm(answers[name])
            print(f"{network} {name}: rel-L2 {error:.1e} from {peer}", flush=True)


def main():
    if sys.argv[1:2] == ["--zoo"]:
        with tempfile.TemporaryDirectory() as folder:
            for network in sys.argv[3:]:
                alone(compare_network, network, sys.argv[2], Path(folder))
        return
    record_cases(sys.argv[1:])


if __name__ == "__main__":
    main()
