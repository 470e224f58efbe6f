#!/usr/bin/env python3
"""Networks that athanor writes as TensorFlow Lite, in the interpreter of TensorFlow Lite.

    python3 tests/tflite_write_test.py [--binary build/test/bin/athanor] [--device cpu] [--filter TEXT] [--all]

Each network of the zoo (--all: the large ones too), the ONNX networks of the data set and its TFLite networks is
converted to .tflite, which ends with a proof that the file read back gives the same. Then ai-edge-litert (PyPI) or
TensorFlow runs the file: floating-point answers must agree within 1e-5, integers bit by bit. Without an interpreter that
second half is skipped. Networks that TFLite cannot express are listed with a part of the reason. Prints one line per
failure and "N passed, N failed, N skipped".
"""
import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np

from models_test import DATA, ROOT, Runner, random_tensor
from zoo_sweep import same_detections

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
except ImportError:
    try:
        from tensorflow.lite.python.interpreter import Interpreter, OpResolverType
    except ImportError:
        Interpreter = None

MAX_REL_L2 = 1e-5
LARGE_GMAC = 1.0
# What is not written, or not read, and a part of what is said.
REFUSED = {
    "silero_vad_16k_op15.onnx": "the rank of",
    "xgboost_regressor_tree/model.onnx": "TreeEnsembleRegressor",
    "qlstm_3-2-3_T3_S1/model.onnx": "(Scan): no operator of TFLite",
    "byte_sb_bidi_lstm/model.onnx": "written one by one",
    "tflm/mnist_lstm_float.tflite": "(Scan): no operator of TFLite",
    "tflm/audio_preprocessor_float.tflite": "(SignalWindow): no operator of TFLite",
    "tflm/audio_preprocessor_int8.tflite": "(SignalWindow): no operator of TFLite",
    "tflm/dtln_noise_suppression.tflite": "(IntegerLSTM): no operator of TFLite",
    "tflm/keyword_scrambled_8bit.tflite": "(IntegerSVDF): no operator of TFLite",
    "zoo:faster_rcnn": "(RoiAlign): no operator of TFLite",
    "zoo:mask_rcnn": "(RoiAlign): no operator of TFLite",
}
# Options with which a network is converted.
FLAGS = {
    "zoo:lstm": ["--set-dim", "sequence=2", "--set-dim", "batch=16"],
    "zoo:gru": ["--set-dim", "sequence=2", "--set-dim", "batch=16"],
    # Its answers to noise depend on the last bits of its sums: here those of the reference device are compared.
    "yolox_nano_coco.onnx": ["--device", "reference"],
    # Differs by one step after it is written again.
    "mobilenet_v2_torch_int8_nchw.tflite": ["--atol", "1"],
}
# Where more than the usual difference is known: a share for floats, steps for integers.
TOLERANCES = {"yolox_nano_coco.onnx": 2e-5, "mobilenet_v2_torch_int8_nchw.tflite": 1}
# How many along the first axis, where 2 are too few.
COUNTS = {"qtdnn_10x5_101_i32_biases/model.onnx": 8}
FLAGS |= {f"zoo:{name}": ["--set-dim", "N=1"] for name in ("fcos", "retinanet", "ssd_mobilenet_v1", "yolov4_tiny", "yolov5s", "yolov8n")}
# Corners are differences of numbers of hundreds of pixels: near 0 the last bits of those are 4e-4 (rel-L2 of all: 4e-7).
for network in ("yolov4_tiny", "retinanet", "fcos"):
    FLAGS[f"zoo:{network}"] += ["--atol", "2e-3"]
DTYPES = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8,
          "u8": np.uint8, "bool": np.bool_}


def sizes(shape, count, known):
    """Numbers for a shape with open sizes: so many of what comes first, 16 along other axes; one for each name."""
    return [dim if isinstance(dim, int) else known.setdefault(dim, 16 if axis else count) for axis, dim in enumerate(shape)]


def make_inputs(runner, model, count):
    told = json.loads(runner.call("inspect", model, "--json"))
    inputs, known = {}, {}
    for spec in told["inputs"]:
        dtype = DTYPES[spec["dtype"]]
        low, high = (-1.0, 1.0) if np.issubdtype(dtype, np.floating) else (0, 100)
        if dtype in (np.int8, np.uint8, np.int16):
            low, high = np.iinfo(dtype).min, int(np.iinfo(dtype).max) + 1
        if dtype == np.bool_:
            inputs[spec["name"]] = random_tensor(spec["name"], np.int64, sizes(spec["shape"], count, known), 0, 2).astype(bool)
            continue
        inputs[spec["name"]] = random_tensor(spec["name"], dtype, sizes(spec["shape"], count, known), low, high)
    return inputs


def interpret(path, inputs, exact):
    """Outputs in their order. Reference kernels, where integers must be those of the specification."""
    kind = OpResolverType.BUILTIN_REF if exact else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=kind, num_threads=2)
    for detail in interpreter.get_input_details():
        value = inputs[detail["name"]]
        if list(detail["shape"]) != list(value.shape):
            interpreter.resize_tensor_input(detail["index"], value.shape)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], inputs[detail["name"]])
    interpreter.invoke()
    return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}


def difference(got, want, tolerance):
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{list(got.shape)} for {want.dtype}{list(want.shape)}"
    if want.dtype.kind != "f":
        steps = np.abs(got.astype(np.int64) - want.astype(np.int64))
        wrong = np.count_nonzero(steps > (tolerance or 0))
        return f"{wrong} of {want.size} integers differ" if wrong else None
    got, want = got.ravel().astype(np.float64), want.ravel().astype(np.float64)
    error = np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-9)
    return None if error <= (tolerance or MAX_REL_L2) else f"rel-L2 {error:.2e}"


def in_one_order(got, want):
    """The objects of a detector, both in the same order: those whose scores are tied to within rounding change places."""
    if not {"boxes", "classes", "scores"} <= set(want) or any(got[name].shape != want[name].shape for name in want):
        return got, want
    pairs = same_detections(got, want)
    return pairs if pairs and len(pairs[1]["scores"]) == want["scores"].size else (got, want)


def entry(table, model):
    return next((value for name, value in table.items() if model.endswith(name)), None)


def check(runner, model, folder, exact):
    """What is wrong (None: nothing), and whether the interpreter was asked, or need not be; otherwise it is skipped."""
    path = folder / "written.tflite"
    reason, flags, tolerance = entry(REFUSED, model), entry(FLAGS, model) or [], entry(TOLERANCES, model)
    try:
        runner.call("convert", model, "-o", path, *flags)
        if reason:
            return f"is written, but listed as refused with \"{reason}\"", True
        if Interpreter is None:
            return None, False
        inputs = make_inputs(runner, model, entry(COUNTS, model) or (1 if "N=1" in flags else 2))
        try:
            expected = runner.run(model, inputs)
        except RuntimeError:
            return None, False  # these sizes do not fit the network itself
    except RuntimeError as error:
        return (None, True) if reason and reason in str(error) else (str(error), False)
    try:
        outputs = interpret(path, inputs, exact)
    except (RuntimeError, ValueError) as error:
        return f"the interpreter: {error}", True
    if set(outputs) != set(expected):
        return f"outputs {sorted(outputs)}; {sorted(expected)} are expected", True
    outputs, expected = in_one_order(outputs, expected)
    problems = [f"{name}: {what}" for name in expected if (what := difference(outputs[name], expected[name], tolerance))]
    return ", ".join(problems) or None, True


def check_quantized(runner, folder):
    """What is wrong with examples/digits on bytes, as `athanor quantize --arithmetic fixed31` makes it (else its answers are
    sums of floats) and `convert` writes it.

    On all held-out pictures the interpreter's reference kernels and the file read back must give the same bits, and the
    right class as often as the network that was written, within half a percent: TFLite rounds products its own way.
    """
    digits, quantized, path = ROOT / "examples" / "digits", folder / "digits.int8.ath", folder / "digits.int8.tflite"
    runner.call("quantize", digits / "digits.onnx", "--calib", digits / "calib.npz", "--std", "255",
                "--arithmetic", "fixed31", "-o", quantized)
    runner.call("convert", quantized, "-o", path, "--atol", "1")
    if Interpreter is None:
        return None, False
    with np.load(digits / "heldout.npz") as held:
        pictures, labels = held["pixels"].astype(np.float32)[:, None] / np.float32(255), held["labels"]
    inputs = {"image": pictures}
    outputs, read_back, expected = interpret(path, inputs, True), runner.run(path, inputs), runner.run(quantized, inputs)
    (name,) = expected
    if not np.array_equal(outputs[name], read_back[name]):
        return f"{name}: {np.count_nonzero(outputs[name] != read_back[name])} numbers differ in the interpreter", True
    right = [np.mean(answers[name].argmax(axis=1) == labels) for answers in (outputs, expected)]
    return (None if abs(right[0] - right[1]) <= 0.005 else f"{right[0]:.2%} right; {right[1]:.2%} before it was written"), True


def networks(runner, everything):
    listing = runner.call("zoo", "--json")
    for entry in json.loads(listing)["models"]:
        yield f"zoo:{entry['name']}", entry["gmac"] <= LARGE_GMAC or everything, False
    for path in sorted(DATA.glob("**/*.onnx")):
        yield str(path), True, False
    for path in sorted(DATA.glob("**/*.tflite")):
        yield str(path), True, True


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--filter", default="")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        runner = Runner(options, folder)
        jobs = [("examples/digits on bytes", lambda: check_quantized(runner, folder))]
        jobs += [(model, lambda model=model, exact=exact: check(runner, model, folder, exact))
                 for model, chosen, exact in networks(runner, options.all) if chosen]
        for model, judge in jobs:
            if options.filter not in model:
                continue
            problem, asked = judge()
            passed += problem is None and asked
            failed += problem is not None
            skipped += problem is None and not asked
            if problem is not None:
                print(f"FAIL {model}: {problem}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
