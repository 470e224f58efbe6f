# SPDX-License-Identifier: Apache-2.0
"""Describes the expected outputs that come with the test data (README 4.1, 4.6) in onnx/goldens.json.

Each entry is checked against a peer that reads the format: ONNX Runtime, LiteRT or ncnn. `max_abs` is that
peer's difference, `rel_l2` = |got - expected|_2 / |expected|_2, `atol` and `rtol` a bound that the peer meets with
room to spare: |got - expected| <= atol + rtol * |expected|. An output with "rel_l2_max" is judged by that alone.
Formats without a peer here (Caffe, MNN) carry the README's bounds and "verified": null.

An input whose "tensor_shape" differs from "shape" holds the same elements in the same order, stored with fewer
dimensions. "rows" of an output: expected row i along `axis` is row start + i * step of the model's output, or,
where "of" is "expected", the other way round.
"""

from pathlib import Path

import ai_edge_litert
import ncnn
import numpy as np
import onnx
import onnxruntime as ort
from ai_edge_litert.interpreter import Interpreter
from onnx import numpy_helper

from oracle_common import data_root, image_tensor, json_lines, l2_norm, max_abs_difference, run, session

OUT = Path(__file__).resolve().parent / "onnx" / "goldens.json"
RTOL = 1e-4
README_BOUNDS = {"rtol": 1e-3, "atol": 1e-4}
ULTRAFACE_MEAN, ULTRAFACE_STD = [127] * 3, [128] * 3
PEERS = {
    "onnx": f"onnxruntime {ort.__version__}",
    "tflite": f"ai-edge-litert {ai_edge_litert.__version__}",
    "ncnn": f"ncnn {ncnn.__version__}",
}


# ---- entries -------------------------------------------------------------------------------------


def image(name, file, shape, colour="bgr", mean=(0, 0, 0), std=(1, 1, 1), layout="NCHW"):
    return {
        "name": name, "kind": "image", "file": file, "dtype": "float32", "shape": shape,
        "colour": colour, "mean": list(mean), "std": list(std), "layout": layout,
    }


def stored(name, kind, file, **details):
    """A tensor in a file: kind npy, npz (with "key") or pb (serialised TensorProto)."""
    return {"name": name, "kind": kind, "file": file, **details}


def golden(model, inputs, outputs, origin, format="onnx", **details):
    return {"model": model, "format": format, "origin": origin, **details, "inputs": inputs, "outputs": outputs}


def ultraface_entries():
    def entry(model, picture, expected, names, format="onnx", layout="NCHW", input_name="input", **details):
        shape = [1, 3, 240, 320] if layout == "NCHW" else [1, 240, 320, 3]
        file = f"ultraface/golden/{picture}_320x240.png"
        given = image(input_name, file, shape, "rgb", ULTRAFACE_MEAN, ULTRAFACE_STD, layout)
        wanted = [
            stored(name, "npy", f"ultraface/golden/{picture}.{expected}.{part}.npy") for part, name in names.items()
        ]
        return golden(f"ultraface/{model}", [given], wanted, "OpenCV 4.6.0", format, **details)

    both, scores = {"scores": "scores", "boxes": "boxes"}, {"scores": "scores"}
    rfb, rfb_raw, slim = "version-RFB-320", "version-RFB-320_without_postprocessing", "version-slim-320"
    yield entry(f"onnx/{rfb}.onnx", "1", rfb, both)
    yield entry(f"onnx/{rfb}.onnx", "11", rfb, both)
    yield entry(f"onnx/{rfb_raw}.onnx", "1", rfb_raw, both)
    yield entry("onnx/version-RFB-320_simplified.onnx", "1", rfb_raw, both)
    yield entry(f"onnx/{slim}.onnx", "1", slim, both)
    # The other formats of slim give raw box offsets, for which no golden exists; the scores are the same.
    tflite = {"scores": "Identity_1", "boxes": "Identity"}
    yield entry(f"tflite/{rfb_raw}.tflite", "1", rfb_raw, tflite, "tflite", "NHWC", "input_1")
    slim_tflite = f"tflite/{slim}_without_postprocessing.tflite"
    yield entry(slim_tflite, "1", slim, {"scores": "Identity_1"}, "tflite", "NHWC", "input_1")
    yield entry("ncnn/RFB-320.param", "1", rfb_raw, both, "ncnn", weights="ultraface/ncnn/RFB-320.bin")
    yield entry("ncnn/slim_320.param", "1", slim, scores, "ncnn", weights="ultraface/ncnn/slim_320.bin")
    yield entry("caffe/RFB-320.prototxt", "1", rfb_raw, both, "caffe", weights="ultraface/caffe/RFB-320.caffemodel")
    yield entry("caffe/slim-320.prototxt", "1", slim, scores, "caffe", weights="ultraface/caffe/slim-320.caffemodel")
    yield entry("mnn/RFB-320.mnn", "1", rfb_raw, both, "mnn")


def protobuf_entries():
    for index in range(3):
        folder = f"onnx/mnist/test_data_set_{index}"
        yield golden(
            "onnx/mnist/mnist-8.onnx", [stored("Input3", "pb", f"{folder}/input_0.pb")],
            [stored("Plus214_Output_0", "pb", f"{folder}/output_0.pb")], "onnx/models",
        )
    folder = "onnx/super_resolution/test_data_set_0"
    given = stored("input", "pb", f"{folder}/input_0.pb", tensor_shape=[224, 224], shape=[1, 1, 224, 224])
    wanted = [stored("output", "pb", f"{folder}/output_0.pb")]
    yield golden("onnx/super_resolution/super_resolution.onnx", [given], wanted, "onnx/models")


def detector_entries():
    given = image("images", "onnx/yolox/dog_416x416.png", [1, 3, 416, 416])
    rows = {"of": "output", "axis": 1, "start": 0, "step": 7}
    wanted = [stored("output", "npy", "onnx/yolox/dog_416x416.output_every7th.npy", rows=rows)]
    yield golden("onnx/yolox/yolox_nano_coco.onnx", [given], wanted, "OpenCV 4.6.0")

    mean, std = [103.53, 116.28, 123.675], [57.375, 57.12, 58.395]
    given = image("image", "onnx/nanodet/dog_320x320.png", [1, 3, 320, 320], "bgr", mean, std)
    names = ("bbox_pred0", "bbox_pred2", "cls_score1", "cls_score2")
    wanted = [stored(name, "npy", f"onnx/nanodet/dog_320x320.{name}.npy") for name in names]
    yield golden("onnx/nanodet/nanodet_m_320.onnx", [given], wanted, "OpenCV 4.6.0")

    given = image("input.1", "onnx/fastestdet/dog_352x352.png", [1, 3, 352, 352], "bgr", [0] * 3, [255] * 3)
    wanted = [stored("758", "npy", "onnx/fastestdet/dog_352x352.758.npy")]
    folder = "onnx/fastestdet"
    yield golden(f"{folder}/FastestDet.onnx", [given], wanted, "OpenCV 4.6.0")
    wanted = [{**wanted[0], "rel_l2_max": 0.02}]
    yield golden(
        f"{folder}/ncnn/FastestDet.param", [given], wanted, "OpenCV 4.6.0", "ncnn",
        weights=f"{folder}/ncnn/FastestDet.bin",
        note="weights were cut to half precision towards zero when this file was made, single values differ by 0.3",
    )


def tract_entries():
    # Output name in the model, key in io.npz.
    table = {
        "byte_sb_bidi_lstm": ("output", "Add_26"),
        "lgbm_classifier_tensor": ("probabilities", "probabilities"),
        "qlstm_3-2-3_T3_S1": ("output", "output"),
        "qtdnn_10x5_101_i32_biases": ("output", "output"),
        "xgboost_regressor_tree": ("variable", "variable"),
    }
    for name, (output, key) in table.items():
        file = f"onnx/tract/{name}/io.npz"
        wanted = stored(output, "npz", file, key=key)
        if name == "xgboost_regressor_tree":
            wanted |= {"tensor_shape": [1], "shape": [1, 1]}
        if name == "qtdnn_10x5_101_i32_biases":
            # The expected rows were made with padding at both ends; the file says VALID and gives two rows fewer.
            wanted["rows"] = {"of": "expected", "axis": 0, "start": 1, "step": 1}
        given = stored("input", "npz", file, key="input")
        yield golden(f"onnx/tract/{name}/model.onnx", [given], [wanted], "sonos/tract")


# ---- checking ------------------------------------------------------------------------------------


def load(spec, root):
    if spec["kind"] == "image":
        return image_tensor(spec, root)
    path = root / spec["file"]
    if spec["kind"] == "pb":
        proto = onnx.TensorProto()
        proto.ParseFromString(path.read_bytes())
        array = numpy_helper.to_array(proto)
    else:
        array = np.load(path) if spec["kind"] == "npy" else np.load(path)[spec["key"]]
    return array.reshape(spec.get("shape", array.shape))


def run_tflite(model, feeds):
    interpreter = Interpreter(str(model))
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], feeds[detail["name"]])
    interpreter.invoke()
    return {d["name"]: interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()}


def run_ncnn(model, weights, feeds, names):
    net = ncnn.Net()
    # Half precision is ncnn's default on some CPUs and would hide what the goldens are for.
    net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
    net.opt.use_bf16_storage = False
    if net.load_param(str(model)) or net.load_model(str(weights)):
        raise SystemExit(f"ncnn cannot read {model}")
    extractor = net.create_extractor()
    for name, value in feeds.items():
        extractor.input(name, ncnn.Mat(value[0]).clone())
    return {name: np.array(extractor.extract(name)[1]) for name in names}


def peer_outputs(entry, root):
    feeds = {spec["name"]: load(spec, root) for spec in entry["inputs"]}
    model = root / entry["model"]
    match entry["format"]:
        case "onnx":
            return run(session(model), feeds)
        case "tflite":
            return run_tflite(model, feeds)
        case "ncnn":
            return run_ncnn(model, root / entry["weights"], feeds, [spec["name"] for spec in entry["outputs"]])
    return None


def aligned(got, expected, spec):
    """Both arrays cut to the rows they share. Compared flat where a format drops the batch dimension."""
    if "rows" in spec:
        axis, start, step = (spec["rows"][key] for key in ("axis", "start", "step"))
        if spec["rows"]["of"] == "output":
            got = np.take(got, range(start, got.shape[axis], step), axis)
        else:
            expected = np.take(expected, range(start, start + step * got.shape[axis], step), axis)
    if got.squeeze().shape != expected.squeeze().shape:
        raise SystemExit(f"{spec['file']}: shapes {got.shape} and {expected.shape}")
    return got.ravel(), expected.ravel()


def bounds(spec, got, expected):
    """A tolerance that the peer meets with room for another order of summation."""
    if "rel_l2_max" in spec:
        return {}
    excess = float(np.max(np.abs(got - expected) - RTOL * np.abs(expected)))
    floor = 1e-6 * max(1.0, float(np.max(np.abs(expected))))
    exponent = int(np.ceil(np.log10(max(4 * excess, floor)) - 1e-9))
    return {"rtol": RTOL, "atol": float(f"1e{exponent}")}


def measured(spec, got, expected):
    numbers = {
        "max_abs": max_abs_difference(got, expected),
        "rel_l2": float(f"{l2_norm(got - expected) / l2_norm(expected):.3g}"),
    }
    return {**bounds(spec, got, expected), **numbers}


def verified(entry, root):
    outputs = peer_outputs(entry, root)
    checked = []
    for spec in entry["outputs"]:
        if outputs is None:
            checked.append({**spec, **README_BOUNDS})
            continue
        got, expected = aligned(outputs[spec["name"]], load(spec, root), spec)
        checked.append({**spec, **measured(spec, got, expected)})
        print(entry["model"], spec["name"], f"max_abs {checked[-1]['max_abs']:.3g}", flush=True)
    peer = PEERS.get(entry["format"]) if outputs is not None else None
    head = {k: v for k, v in entry.items() if k not in ("inputs", "outputs")}
    return {**head, "verified": peer, "inputs": entry["inputs"], "outputs": checked}


def main():
    root = data_root() / "models"
    entries = [*ultraface_entries(), *protobuf_entries(), *detector_entries(), *tract_entries()]
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json_lines(verified(entry, root) for entry in entries))


if __name__ == "__main__":
    main()
