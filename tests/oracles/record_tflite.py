# SPDX-License-Identifier: Apache-2.0
"""Records what TFLite's reference kernels give: tflite/index.json and tflite/goldens.npz.

    python tests/oracles/record_tflite.py        peer: ai-edge-litert 2.3.0, BUILTIN_REF
"""
import json
import sys
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
import flatbuffers

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tflite_test import DATA, ORACLES, make_input  # noqa: E402

QUANTISED = [
    "mlperf-tiny/ad01_int8", "mlperf-tiny/ic01_resnet8_int8", "mlperf-tiny/kws_int8", "mlperf-tiny/sww_int8",
    "mlperf-tiny/vww_96_int8", "mobilenet/mobilenet_v1_0.25_224_quant", "mobilenet/mobilenet_v2_1.0_224_quant",
    "mobilenet/mobilenet_v2_torch_int8_nchw", "tflite-vision/deeplabv3_mnv2_dm05_pascal_quant",
    "tflm/hello_world_int8", "tflm/micro_speech_quantized", "tflm/person_detect",
    *(f"tflm/seanet/conv/conv{i}" for i in range(22))]
# Largest difference as a share of the largest value; kws has int8 weights, whose inputs TFLite rounds on the way.
FLOAT = {
    "mlperf-tiny/ad01_fp32": 1e-5, "mlperf-tiny/ic01_resnet8_float": 1e-5, "mlperf-tiny/kws_float32": 5e-2,
    "mlperf-tiny/vww_96_float": 1e-5, "mobilenet/mobilenet_v1_0.25_224_float": 1e-4,
    "tflite-text/movie_review": 1e-5, "tflm/hello_world_float": 1e-5, "tflm/mnist_lstm_float": 1e-5,
    "ultraface/tflite/version-RFB-320_without_postprocessing": 1e-5,
    "ultraface/tflite/version-slim-320_without_postprocessing": 1e-5}
PICTURES = {"tflm/person_detect": ["tflm/person.bmp", "tflm/no_person.bmp"]}
REFUSED = {}  # networks, and a part of the reason


def content(path):
    """The file; where a bias has the axis of its weights, which the peer refuses, that is put right."""
    data = path.read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    wrong = [t for t in model.subgraphs[0].tensors
             if t.quantization is not None and t.shape is not None and len(t.shape) == 1 and t.quantization.quantizedDimension]
    if not wrong:
        return data
    for tensor in wrong:
        tensor.quantization.quantizedDimension = 0
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def input_specs(details, case, picture):
    specs = []
    for detail in details:
        dtype, shape = np.dtype(detail["dtype"]), [int(n) for n in detail["shape"]]
        spec = {"name": detail["name"], "dtype": dtype.name, "shape": shape}
        if picture is not None:
            specs.append({**spec, "rule": "bmp", "file": picture, "add": -128 if dtype == np.int8 else 0})
            continue
        low, high = (-1, 1) if dtype == np.float32 else (0, 1000)
        if dtype in (np.int8, np.uint8, np.int16):
            # All values; then a third of them, near the middle.
            limits = np.iinfo(dtype)
            cut = 0 if case == "random" else (limits.max - limits.min) // 3
            low, high = limits.min + cut, limits.max + 1 - cut
        specs.append({**spec, "rule": "random", "seed": f"{detail['name']} {case}", "low": low, "high": high})
    return specs


def record(name, tolerance, arrays):
    model = f"{name}.tflite"
    interpreter = Interpreter(model_content=content(DATA / model), experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()
    pictures = list(PICTURES.get(name, []))
    shape = details[0]["shape"]
    if name not in PICTURES and len(shape) == 4 and shape[3] == 3 and details[0]["dtype"] != np.float32:
        pictures = ["tflite-vision/bird_segmentation.bmp"]
    cases = []
    for case in ["random", *([] if tolerance or "seanet" in name else ["middle"]), *pictures]:
        specs = input_specs(details, case, case if case in pictures else None)
        interpreter.reset_all_variables()
        for spec, detail in zip(specs, details):
            interpreter.set_tensor(detail["index"], make_input(spec))
        interpreter.invoke()
        outputs = []
        for detail in interpreter.get_output_details():
            value = interpreter.get_tensor(detail["index"])
            if value.dtype == np.int64 and value.min() >= 0 and value.max() < 256:
                value = value.astype(np.uint8)  # a map of classes
            key = f"{name}/{Path(case).stem}/{len(outputs)}"
            arrays[key] = value
            outputs.append({"name": detail["name"], "key": key, "atol": 1e-6 if tolerance else 0, "rtol": tolerance})
        cases.append({"model": model, "case": case, "inputs": specs, "outputs": outputs})
    return cases


def main():
    arrays, cases = {}, []
    for name in QUANTISED:
        cases += record(name, 0, arrays)
    for name, tolerance in FLOAT.items():
        cases += record(name, tolerance, arrays)
    ORACLES.mkdir(exist_ok=True)
    np.savez_compressed(ORACLES / "goldens.npz", **arrays)
    index = {"peer": "ai-edge-litert 2.3.0, BUILTIN_REF", "cases": cases,
             "refused": [{"model": f"{name}.tflite", "reason": reason} for name, reason in REFUSED.items()]}
    (ORACLES / "index.json").write_text(json.dumps(index, indent=1) + "\n")
    print(f"{len(cases)} cases of {len(QUANTISED) + len(FLOAT)} networks, {len(REFUSED)} refused")


if __name__ == "__main__":
    main()
