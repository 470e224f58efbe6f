#!/usr/bin/env python3
"""NNCF and ONNX Runtime's own quantiser, each at its best, beside `athanor quantize`: the same ONNX files, samples and pictures.

    ./dev quant-check --peers [mobilenet resnet8 mnist ad01 kws keywords vww ultraface slim yolox nanodet fastestdet]

The float file and all quantised ones are answered by ONNX Runtime, so that only what quantising did differs. A peer's row
is the best of its settings. Needs numpy, onnx, onnxruntime and nncf (PyPI); ./dev puts them into build/quant-venv.
"""
import argparse
import contextlib
import io
import logging
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import nncf
import numpy as np
import onnx
import onnxruntime
from onnxruntime import quantization

import quant_check as check
from running import binary

SAMPLES = 200
TINY = check.MODELS / "mlperf-tiny"
NANODET = ["--bgr", "--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375"]


def tensors(folder, shape, pictures, flags):
    """What a network of this input reads of each picture."""
    dims = ", ".join(map(str, shape))
    text = folder / "id.txt"
    text.write_text(f"graph main(x: f32[{dims}]) -> (y: f32[{dims}]) {{\n  %y = Identity(%x)\n}}\n")
    return [check.outputs(text, picture, *flags)[0] for picture in pictures]


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def answers(path, rows):
    run = session(path)
    (name,) = (i.name for i in run.get_inputs())
    return [run.run(None, {name: row}) for row in rows]


class Case:
    """One network: its file, rows to calibrate on and to answer, and what its answers are worth."""

    def __init__(self, model, calib, rows, score, unit):
        self.model, self.calib, self.rows, self.score, self.unit = model, calib, rows, score, unit


def as_onnx(model, folder):
    out = folder / f"{model.stem}.float.onnx"
    subprocess.run([binary(), "convert", model, "-o", out, "--opset", "17", "--no-check", "--quiet"], check=True, capture_output=True)
    return out


def same_class(real):
    best = [np.argmax(answer[0]) for answer in real]
    return lambda found: 100 * np.mean([np.argmax(answer[0]) == b for answer, b in zip(found, best)])


def mobilenet(folder):
    flags = ["--crop", "224", *check.RGB]
    shape = (1, 224, 224, 3)
    model = as_onnx(check.MOBILENET, folder)
    rows = tensors(folder, shape, check.pictures(check.IMAGENET / "eval"), flags)
    calib = tensors(folder, shape, check.pictures(check.IMAGENET / "calib")[:SAMPLES], flags)
    return Case(model, calib, rows, same_class(answers(model, rows)), f"same class on {len(rows)} pictures, %")


def resnet8(folder):
    check.cifar(folder)
    calib, data = np.load(folder / "c_calib.npz"), np.load(folder / "c_data.npz")
    model, rows = as_onnx(check.RESNET8, folder), [row[None] for row in data["x"]]
    real = answers(model, rows)

    def errors(found):
        return -sum(int(np.argmax(a[0]) != label) - int(np.argmax(b[0]) != label) for a, b, label in zip(found, real, data["labels"]))
    return Case(model, [row[None] for row in calib["x"]], rows, errors, f"more right on {len(rows)} pictures")


def mnist(folder):
    model = as_onnx(check.MODELS / "onnx" / "mnist" / "mnist-8.onnx", folder)
    calib = check.digits("train30k-images-idx3-ubyte.gz")[:SAMPLES].astype(np.float32)
    rows = [row[None] for row in check.digits("test5k-images-idx3-ubyte.gz").astype(np.float32)]
    labels = check.digits("test5k-labels-idx1-ubyte.gz", labels=True)

    def right(found):
        return 100 * np.mean([np.argmax(answer[0]) == label for answer, label in zip(found, labels)])
    return Case(model, [row[None] for row in calib], rows, right,
                f"right on {len(rows)} digits, %; float {right(answers(model, rows)):.2f}")


def tiny(name, file, others=None):
    def case(folder):
        rows = check.tiny_rows(folder)[name]
        half = len(rows) // 2
        model = as_onnx(TINY / file, folder)
        asked = list(rows[half:] if others is None else others())
        real = answers(model, asked)
        return Case(model, list(rows[:half]), asked, lambda found: check.sqnr([answer[0] for answer in real], [answer[0] for answer in found]),
                    f"SQNR of the output on {len(asked)} inputs, dB")
    return case


def more_keywords():
    """Enough of them: the error of 20 probabilities is that of one or two samples which are undecided."""
    return check.keywords(601, seed=7)[1:]


def detector(file, shape, flags, photographs, decode, folder):
    model = as_onnx(file, folder)
    rows = tensors(folder, shape, photographs, flags)
    calib = tensors(folder, shape, check.pictures(check.IMAGENET / "calib")[:100], flags)
    boxes = [check.keep(*decode(answer)) for answer in answers(model, rows)]
    total = sum(map(len, boxes))

    def kept(found):
        hits = sum(check.matched(real, check.keep(*decode(answer), threshold=0.25)) for real, answer in zip(boxes, found))
        return 100 * hits / total
    return Case(model, calib, rows, kept, f"boxes at IoU >= 0.9 of {total}, %")


def streets():
    return check.pictures(check.MODELS / "onnx" / "images") + check.pictures(check.IMAGENET / "eval")[:60]


def face(file):
    return lambda folder: detector(check.MODELS / "ultraface/onnx" / file, (1, 3, 240, 320), ["--mean", 127, "--std", 128],
                                   check.pictures(check.MODELS / "ultraface" / "images"), check.decode_ultraface, folder)


def yolox(folder):
    return detector(check.MODELS / "onnx/yolox/yolox_nano_coco.onnx", (1, 3, 416, 416), ["--bgr"], streets(), check.decode_yolox, folder)


def nanodet(folder):
    return detector(check.MODELS / "onnx/nanodet/nanodet_m_320.onnx", (1, 3, 320, 320), NANODET, streets(), check.decode_nanodet, folder)


def fastestdet(folder):
    return detector(check.MODELS / "onnx/fastestdet/FastestDet.onnx", (1, 3, 352, 352), ["--bgr", "--std", 255], streets(),
                    check.decode_fastestdet, folder)


# ---- each way writes a quantised ONNX file

def input_name(case):
    return session(case.model).get_inputs()[0].name


class Reader(quantization.CalibrationDataReader):
    """Rows, a few at a time: histograms of all at once keep every activation of every row."""

    def __init__(self, case):
        self.name, self.calib = input_name(case), case.calib
        self.set_range(0, len(self))

    def __len__(self):
        return len(self.calib)

    def set_range(self, start_index, end_index):
        self.rows = iter(self.calib[start_index:end_index])

    def get_next(self):
        row = next(self.rows, None)
        return None if row is None else {self.name: row}


def with_onnxruntime(method):
    def make(case, out):
        ready = out.with_suffix(".ready.onnx")
        quantization.shape_inference.quant_pre_process(str(case.model), str(ready), skip_symbolic_shape=True)
        quantization.quantize_static(str(ready), str(out), Reader(case), quant_format=quantization.QuantFormat.QDQ, per_channel=True,
                                     activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
                                     calibrate_method=method, extra_options={"CalibStridedMinMax": math.gcd(len(case.calib), 10)})
    return make


def with_nncf(preset, fast):
    def make(case, out):
        name = input_name(case)
        data = nncf.Dataset(case.calib, lambda row: {name: row})
        small = nncf.quantize(onnx.load(str(case.model)), data, preset=preset, subset_size=len(case.calib), fast_bias_correction=fast)
        onnx.save(small, str(out))
    return make


def with_athanor(*flags):
    def make(case, out):
        folder = out.parent / "calib"
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for i, row in enumerate(case.calib):
            np.save(folder / f"{i:04}.npy", row)
        check.quantize(case.model, "--calib", folder, "--samples", len(case.calib), *flags, "-o", out)
    return make


METHODS = quantization.CalibrationMethod
WAYS = [("athanor", "defaults", with_athanor()), ("athanor", "--correct auto", with_athanor("--correct", "auto")),
        ("ONNX Runtime", "min-max", with_onnxruntime(METHODS.MinMax)), ("ONNX Runtime", "entropy", with_onnxruntime(METHODS.Entropy)),
        ("ONNX Runtime", "percentile", with_onnxruntime(METHODS.Percentile)),
        ("NNCF", "mixed, fast bias correction", with_nncf(nncf.QuantizationPreset.MIXED, True)),
        ("NNCF", "performance, fast bias correction", with_nncf(nncf.QuantizationPreset.PERFORMANCE, True)),
        ("NNCF", "mixed, bias correction", with_nncf(nncf.QuantizationPreset.MIXED, False))]
CASES = {"mobilenet": mobilenet, "resnet8": resnet8, "mnist": mnist, "ad01": tiny("ad01", "ad01_fp32.tflite"),
         "kws": tiny("kws", "kws_float32.tflite"), "keywords": tiny("kws", "kws_float32.tflite", more_keywords),
         "vww": tiny("vww", "vww_96_float.tflite"), "ultraface": face("version-RFB-320.onnx"), "slim": face("version-slim-320.onnx"),
         "yolox": yolox, "nanodet": nanodet, "fastestdet": fastestdet}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {' '.join(CASES)}")
    names = parser.parse_args().names or list(CASES)
    unknown = set(names) - set(CASES)
    if unknown:
        sys.exit(f"there is no network {', '.join(sorted(unknown))}; these are: {' '.join(CASES)}")
    logging.disable(logging.WARNING)
    os.environ["TQDM_DISABLE"] = "1"
    for name in names:
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place)
            case = CASES[name](folder)
            print(f"{name}: {case.unit}", flush=True)
            for peer, how, make in WAYS:
                out = folder / "small.onnx"
                try:
                    with contextlib.redirect_stdout(io.StringIO()):  # their progress
                        make(case, out)
                    value = case.score(answers(out, case.rows))
                    print(f"  {peer:13} {how:34} {value:8.2f}  {out.stat().st_size / 1024:8.1f} KiB", flush=True)
                except Exception as error:  # whatever a peer raises is its result
                    print(f"  {peer:13} {how:34} failed: {type(error).__name__}: {str(error)[:120]}", flush=True)


if __name__ == "__main__":
    main()
