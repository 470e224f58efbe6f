#!/usr/bin/env python3
"""What quantisation costs on the real networks of the data set, against what was promised.

    ./dev quant-check [--defaults] [NAME ...]   # mobilenet resnet8 mnist tiny detectors ratio trained deeplab superres encoders w4a8 equalize drops same sizes

Prints one line per promise: asked, measured, met or missed. Takes minutes; not part of ./test.
"""
import argparse
import gzip
import hashlib
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np

from running import ROOT, binary

DATA = pathlib.Path(os.environ.get("ATHANOR_DATA", ROOT.parent / "shared" / "data"))
MODELS = DATA / "models"
IMAGENET = DATA / "imagenet-sample"
MOBILENET = MODELS / "mobilenet" / "mobilenet_v1_0.25_224_float.tflite"
RESNET8 = MODELS / "mlperf-tiny" / "ic01_resnet8_float.tflite"
RGB = ["--mean", "127.5", "--std", "127.5"]
BEST = ["--correct", "auto"]
WAYS = [("defaults", []), ("--correct auto", BEST)]


class Sheet:
    def __init__(self):
        self.rows, self.missed = [], 0

    def add(self, what, asked, measured, met):
        self.missed += not met
        self.rows.append((what, asked, measured, met))
        print(f"{'met   ' if met else 'MISSED'}  {what}: asked {asked}, measured {measured}", flush=True)


def quantize(*arguments, code=(0, 3)):
    run = subprocess.run([binary(), "quantize", *map(str, arguments), "--json", "--quiet"], capture_output=True, text=True, check=False)
    if run.returncode not in code:
        raise RuntimeError(f"{arguments}: {run.stderr[-2000:]}")
    return json.loads(run.stdout)


def outputs(model, *inputs):
    """The outputs of one inference, in order."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out.npz")
        run = subprocess.run([binary(), "run", str(model), *map(str, inputs), "--save", out, "--quiet"], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise RuntimeError(f"{model} {inputs}: {run.stderr[-2000:]}")
        arrays = np.load(out)
        return [arrays[name] for name in arrays.files]


def sqnr(real, other):
    real, other = np.asarray(real, np.float64), np.asarray(other, np.float64)
    return 10 * math.log10(np.sum(real**2) / max(np.sum((real - other)**2), 1e-300))


def pictures(folder):
    return sorted(p for p in folder.iterdir() if p.suffix in (".jpg", ".png"))


# ---- classifiers

def labelled(folder):
    # The table names the pictures for calibration too.
    lines = (IMAGENET / "labels.csv").read_text().splitlines()
    (folder / "eval.csv").write_text("\n".join([lines[0], *(line for line in lines if line.startswith("eval/"))]) + "\n")
    return ["--data", IMAGENET / "eval", "--labels", folder / "eval.csv", "--label-offset", 1, "--crop", 224, *RGB]


def mobilenet(sheet, folder):
    for name, how in WAYS:
        result = quantize(MOBILENET, "--calib", IMAGENET / "calib", "--samples", 200, *labelled(folder), "-o", folder / "m.ath", *how)
        pair = result["mcnemar"]
        text = (f"{100 * result['agreement']:.2f} % ({100 * result['float']['top1']:.2f} -> {100 * result['int8']['top1']:.2f} % right; "
                f"McNemar {pair['only_float_right']} : {pair['only_int8_right']}, p = {pair['p']:.3f})")
        sheet.add(f"MobileNet v1 0.25, {name}: the same class on 300 pictures", ">= 92 %, p > 0.05", text,
                  result["agreement"] >= 0.92 and pair["p"] > 0.05)
    mobilenet_within(sheet, folder)


def answers(model):
    """The best class of every evaluation picture."""
    return np.array([np.argmax(outputs(model, picture, "--crop", 224, *RGB)[0]) for picture in pictures(IMAGENET / "eval")])


def by_chance(a, b):
    """McNemar's exact test: how likely so uneven a split of a + b answers is."""
    return min(1.0, 2 * sum(math.comb(a + b, i) for i in range(min(a, b) + 1)) / 2 ** (a + b))


def mobilenet_within(sheet, folder):
    """Products return to float until 8 % of the calibration pictures may change class; judged on pictures that nothing was chosen by."""
    result = quantize(MOBILENET, "--calib", IMAGENET / "calib", "--samples", 200, "--data", IMAGENET / "calib", "--allow-overlap", "--agree", "class",
                      "--max-drop", "8%", "--crop", 224, *RGB, "-o", folder / "m.ath")
    table = dict(line.split(",")[:2] for line in (IMAGENET / "labels.csv").read_text().splitlines() if line.startswith("eval/"))
    truth = np.array([int(table[f"eval/{picture.name}"]) + 1 for picture in pictures(IMAGENET / "eval")])
    real, whole = answers(MOBILENET), answers(folder / "m.ath")
    only_real, only_whole = np.sum((real == truth) & (whole != truth)), np.sum((real != truth) & (whole == truth))
    p = by_chance(int(only_real), int(only_whole))
    agreement = np.mean(real == whole)
    text = (f"{100 * agreement:.2f} % ({100 * np.mean(real == truth):.2f} -> {100 * np.mean(whole == truth):.2f} % right; McNemar {only_real} : {only_whole}, "
            f"p = {p:.3f}); {len(result['float_products'])} of 28 products in float, {(folder / 'm.ath').stat().st_size} bytes")
    sheet.add("MobileNet v1 0.25, --max-drop 8% on the calibration pictures: the same class on 300 others", ">= 92 %, p > 0.05", text,
              agreement >= 0.92 and p > 0.05)


def cifar(folder):
    raw = np.frombuffer((DATA / "cifar10" / "test500.bin").read_bytes(), np.uint8).reshape(500, 3073)
    rows = raw[:, 1:].reshape(500, 3, 32, 32).transpose(0, 2, 3, 1).astype(np.float32)
    np.savez(folder / "c_calib.npz", x=rows[:100])
    np.savez(folder / "c_data.npz", x=rows[100:], labels=raw[100:, 0].astype(np.int64))
    return ["--calib", folder / "c_calib.npz", "--data", folder / "c_data.npz"]


def resnet8(sheet, folder):
    for name, how in WAYS:
        result = quantize(RESNET8, *cifar(folder), "-o", folder / "r.ath", *how)
        more = round((result["float"]["top1"] - result["int8"]["top1"]) * result["n"])
        sheet.add(f"ResNet-8, {name}: more errors on 400 pictures", "<= 4", more, more <= 4)


def digits(name, labels=False):
    raw = np.frombuffer(gzip.decompress((DATA / "mnist" / name).read_bytes()), np.uint8)
    return raw[8:].astype(np.int64) if labels else raw[16:].reshape(-1, 1, 28, 28)


def mnist(sheet, folder):
    np.savez(folder / "n_calib.npz", x=digits("train30k-images-idx3-ubyte.gz")[:200].astype(np.float32))
    np.savez(folder / "n_data.npz", x=digits("test5k-images-idx3-ubyte.gz").astype(np.float32),
             labels=digits("test5k-labels-idx1-ubyte.gz", labels=True))
    for name, how in WAYS:
        result = quantize(MODELS / "onnx" / "mnist" / "mnist-8.onnx", "--calib", folder / "n_calib.npz", "--samples", 200, "--data",
                          folder / "n_data.npz", "-o", folder / "n.ath", *how)
        drop = 100 * (result["float"]["top1"] - result["int8"]["top1"])
        sheet.add(f"MNIST CNN, {name}: drop on 5 000", "<= 0.2 points", f"{drop:.2f} points of {100 * result['float']['top1']:.2f} %", drop <= 0.2)


# ---- against the published int8 files

def dequantised(array, scale, zero):
    return (array.astype(np.float64) - zero) * scale


def keywords(count, seed=1):
    """The one recorded input of the keyword network, and noise of its mean and deviation."""
    recorded = np.load(MODELS / "mlperf-tiny" / "golden" / "kws_float32.in.npy").reshape(-1, 1, 49, 10, 1)
    noise = np.random.default_rng(seed).normal(recorded.mean(), recorded.std(), (count - len(recorded), 1, 49, 10, 1))
    return np.concatenate([recorded, noise.astype(np.float32)])


def tiny_rows(folder):
    """What each network reads, [n, ...] as the float file wants it."""
    home = MODELS / "mlperf-tiny"
    anomaly = np.fromfile(home / "ad01_normal_id_01_00000000.bin", np.float32).reshape(40, 1, 640)
    keyword = keywords(40)
    person = []
    for path in pictures(IMAGENET / "eval")[:40]:
        # A network of one Identity reads the picture as the real one would.
        (folder / "id.txt").write_text("graph main(x: f32[1, 96, 96, 3]) -> (y: f32[1, 96, 96, 3]) {\n  %y = Identity(%x)\n}\n")
        person.append(outputs(folder / "id.txt", path, "--std", 255)[0])
    return {"ad01": anomaly, "kws": keyword, "vww": np.stack(person)}


def tiny(sheet, folder):
    home, rows_of = MODELS / "mlperf-tiny", tiny_rows(folder)
    for name, real, published in [("ad01", home / "ad01_fp32.tflite", home / "ad01_int8.tflite"),
                                  ("kws", home / "kws_float32.tflite", home / "kws_int8.tflite"),
                                  ("vww", home / "vww_96_float.tflite", home / "vww_96_int8.tflite")]:
        rows = rows_of[name]
        half = len(rows) // 2
        np.savez(folder / "t_calib.npz", x=rows[:half].reshape(half, *rows.shape[2:]))
        try:
            quantize(real, "--calib", folder / "t_calib.npz", "-o", folder / f"{name}.ath", *BEST)
        except RuntimeError as error:
            sheet.add(f"{name}: output SQNR", "at least the published int8 file's", str(error)[-120:], False)
            continue
        scale, zero, out_scale, out_zero = io_scales(published)
        sums = {"ours": [], "published": []}
        wanted = []
        for row in rows[half:]:
            np.save(folder / "row.npy", row)
            wanted.append(outputs(real, folder / "row.npy")[0])
            sums["ours"].append(outputs(folder / f"{name}.ath", folder / "row.npy")[0])
            np.save(folder / "row8.npy", np.clip(np.rint(row / scale) + zero, -128, 127).astype(np.int8))
            sums["published"].append(dequantised(outputs(published, folder / "row8.npy")[0], out_scale, out_zero))
        ours, theirs = sqnr(wanted, sums["ours"]), sqnr(wanted, np.reshape(sums["published"], np.shape(wanted)))
        sheet.add(f"{name}: output SQNR on {len(rows) - half} inputs", f">= the published int8 file's {theirs:.2f} dB", f"{ours:.2f} dB", ours >= theirs)


def io_scales(path):
    """Scale and zero point of the input and of the output of a TFLite file, from its own text form."""
    with tempfile.TemporaryDirectory() as folder:
        text = pathlib.Path(folder, "m.txt")
        subprocess.run([binary(), "convert", path, "-o", text, "--no-check", "--quiet"], check=True, capture_output=True)
        lines = text.read_text().split("\n")
    constants = dict(re.findall(r"const %\"?([^\"\n]+?)\"?: \w+\[[^]]*\] = \[?([-\d.e+]+)\]?", "\n".join(lines)))
    first = next(line for line in lines if "DequantizeLinear(" in line)
    last = [line for line in lines if "QuantizeLinear(" in line and "DequantizeLinear(" not in line][-1]
    found = []
    for line in (first, last):
        names = [name.strip(' %"') for name in re.search(r"uantizeLinear\((.*?)\)(?= [{@]|$)", line)[1].split(", ")]
        found += [float(constants[names[1]]), float(constants[names[2]]) if len(names) > 2 else 0.0]
    return found


# ---- detectors

def iou(a, b):
    x1, y1 = np.maximum(a[0], b[:, 0]), np.maximum(a[1], b[:, 1])
    x2, y2 = np.minimum(a[2], b[:, 2]), np.minimum(a[3], b[:, 3])
    inner = np.maximum(0, x2 - x1) * np.maximum(0, y2 - y1)
    area = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    return inner / np.maximum((a[2] - a[0]) * (a[3] - a[1]) + area - inner, 1e-12)


def keep(boxes, scores, threshold=0.5):
    """Non-maximum suppression at IoU 0.5 within a class: (box, class) with a score above the threshold."""
    best, label = scores.max(1), scores.argmax(1)
    order = [i for i in np.argsort(-best) if best[i] > threshold]
    kept = []
    for i in order:
        if all(label[i] != label[k] or iou(boxes[i], boxes[k][None])[0] < 0.5 for k in kept):
            kept.append(i)
    return [(boxes[i], label[i]) for i in kept]


def matched(real, other, least=0.9):
    """How many boxes of `real` have one of the same class in `other` at this IoU or more."""
    return sum(any(c == label and iou(box, b[None])[0] >= least for b, c in other) for box, label in real)


def grid(sizes):
    cells, strides = [], []
    for height, width, stride in sizes:
        y, x = np.mgrid[:height, :width]
        cells.append(np.stack([x, y], -1).reshape(-1, 2))
        strides.append(np.full((height * width, 1), stride))
    return np.concatenate(cells), np.concatenate(strides)


def decode_ultraface(arrays):
    scores, boxes = (a.reshape(-1, a.shape[-1]) for a in arrays)
    return boxes, scores[:, 1:]


def decode_yolox(arrays):
    rows = arrays[0].reshape(-1, 85)
    cells, strides = grid([(52, 52, 8), (26, 26, 16), (13, 13, 32)])
    centre, size = (rows[:, :2] + cells) * strides, np.exp(np.minimum(rows[:, 2:4], 20)) * strides
    return np.concatenate([centre - size / 2, centre + size / 2], 1), rows[:, 4:5] * rows[:, 5:]


def decode_nanodet(arrays):
    scores = [a.reshape(-1, 80) for a in arrays if a.shape[-1] == 80]
    boxes = [a.reshape(-1, 32) for a in arrays if a.shape[-1] == 32]
    order = sorted(range(3), key=lambda i: -len(scores[i]))
    scores, boxes = np.concatenate([scores[i] for i in order]), np.concatenate(sorted(boxes, key=lambda a: -len(a)))
    cells, strides = grid([(40, 40, 8), (20, 20, 16), (10, 10, 32)])
    centre = (cells + 0.5) * strides
    bins = np.exp(boxes.reshape(-1, 4, 8) - boxes.reshape(-1, 4, 8).max(2, keepdims=True))
    away = (bins / bins.sum(2, keepdims=True) @ np.arange(8)) * strides
    return np.concatenate([centre - away[:, :2], centre + away[:, 2:]], 1), scores


def decode_fastestdet(arrays):
    rows = arrays[0].reshape(85, -1).T
    cells, _ = grid([(22, 22, 1)])
    centre = (np.tanh(rows[:, 1:3]) + cells) / 22
    size = 1 / (1 + np.exp(-rows[:, 3:5]))
    return np.concatenate([centre - size / 2, centre + size / 2], 1), rows[:, :1]**0.6 * rows[:, 5:]**0.4


def detectors(sheet, folder):
    faces = pictures(MODELS / "ultraface" / "images")
    streets = pictures(MODELS / "onnx" / "images") + pictures(IMAGENET / "eval")[:60]
    cases = [("UltraFace RFB", MODELS / "ultraface/onnx/version-RFB-320.onnx", ["--mean", 127, "--std", 128], faces, decode_ultraface),
             ("UltraFace slim", MODELS / "ultraface/onnx/version-slim-320.onnx", ["--mean", 127, "--std", 128], faces, decode_ultraface),
             ("YOLOX-Nano", MODELS / "onnx/yolox/yolox_nano_coco.onnx", ["--bgr"], streets, decode_yolox),
             ("NanoDet", MODELS / "onnx/nanodet/nanodet_m_320.onnx",
              ["--bgr", "--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375"], streets, decode_nanodet),
             ("FastestDet", MODELS / "onnx/fastestdet/FastestDet.onnx", ["--bgr", "--std", 255], streets, decode_fastestdet)]
    for name, model, flags, photographs, decode in cases:
        for how, more in WAYS:
            quantize(model, "--calib", IMAGENET / "calib", "--samples", 100, *flags, *more, "-o", folder / "d.ath")
            hits = total = 0
            for photograph in photographs:
                real = keep(*decode(outputs(model, photograph, *flags)))
                small = keep(*decode(outputs(folder / "d.ath", photograph, *flags)), threshold=0.25)
                hits, total = hits + matched(real, small), total + len(real)
            sheet.add(f"{name}, {how}: boxes at IoU >= 0.9 on {len(photographs)} photographs", ">= 95 %",
                      f"{100 * hits / max(1, total):.1f} % of {total}", hits >= 0.95 * total > 0)


# ---- dense outputs

def ratio(sheet, folder):
    """How small files get: everything in them counted, against the float weights."""
    streets = pictures(MODELS / "onnx" / "images") + pictures(IMAGENET / "eval")[:60]
    nanodet = ["--bgr", "--mean", "123.675,116.28,103.53", "--std", "58.395,57.12,57.375"]
    for name, model, flags, decode in [("YOLOX-Nano", MODELS / "onnx/yolox/yolox_nano_coco.onnx", ["--bgr"], decode_yolox),
                                       ("NanoDet", MODELS / "onnx/nanodet/nanodet_m_320.onnx", nanodet, decode_nanodet)]:
        boxes = [keep(*decode(outputs(model, photograph, *flags))) for photograph in streets]
        for times, points in [(8, 1), (10, 2.5)]:
            result = quantize(model, "--calib", IMAGENET / "calib", "--samples", 200, *flags, "--target-ratio", times, "-o", folder / "r.ath")
            if "coded" not in result:
                sheet.add(f"{name}, {times} times smaller", "a file", "none", False)
                continue
            small = result["float"]["bytes"] / (folder / "r.ath").stat().st_size
            hits = sum(matched(real, keep(*decode(outputs(folder / "r.ath", photograph, *flags)), threshold=0.25), 0.5)
                       for real, photograph in zip(boxes, streets))
            total = sum(map(len, boxes))
            sheet.add(f"{name}, {small:.2f} times smaller: boxes lost at IoU 0.5 on {len(streets)} photographs", f"<= {points} %",
                      f"{100 - 100 * hits / total:.1f} % of {total}", small >= times and hits >= (1 - points / 100) * total)
    for times in (4, 6, 8):
        result = quantize(MOBILENET, "--calib", IMAGENET / "calib", "--samples", 200, *labelled(folder), "--target-ratio", times, "-o",
                          folder / "r.ath")
        sheet.add(f"MobileNet v1 0.25 (0.47 M parameters), {times} times smaller: the same class on 300 pictures", "told",
                  f"{100 * result['agreement']:.2f} %, p = {result['mcnemar']['p']:.2f}", True)


class Network:
    """The text of a float network for 28 x 28 pictures of 10 classes, without weights."""

    def __init__(self):
        self.lines, self.value, self.channels, self.count = [], "image", 1, 0

    def constant(self, *dims, fill=0):
        self.count += 1
        self.lines.append(f"const %c{self.count}: f32[{', '.join(map(str, dims))}] = fill({fill})")
        return f"%c{self.count}"

    def node(self, op, *inputs, **attributes):
        self.count += 1
        told = ", ".join(f"{k} = {v}" for k, v in attributes.items())
        self.lines.append(f"%v{self.count} = {op}({', '.join(inputs)}) {f'{{{told}}} ' if told else ''}@n{self.count}")
        self.value = f"v{self.count}"

    def conv(self, channels, size, stride=1, group=1, relu=True):
        pad, last = size // 2, f"%{self.value}"
        weights = self.constant(channels, self.channels // group, size, size)
        self.node("Conv", last, weights, group=group, pads=[pad] * 4, strides=[stride] * 2)
        scale = self.constant(channels, fill=1), self.constant(channels)
        seen = self.constant(channels), self.constant(channels, fill=1)
        self.node("BatchNormalization", f"%{self.value}", *scale, *seen)
        if relu:
            self.node("Relu", f"%{self.value}")
        self.channels = channels

    def residual(self):
        before = self.value
        self.conv(self.channels, 3)
        self.conv(self.channels, 3, relu=False)
        self.node("Add", f"%{before}", f"%{self.value}")
        self.node("Relu", f"%{self.value}")

    def separable(self, channels, stride=1):
        self.conv(self.channels, 3, stride, group=self.channels)
        self.conv(channels, 1)

    def text(self):
        self.node("GlobalAveragePool", f"%{self.value}")
        self.node("Flatten", f"%{self.value}")
        self.node("Gemm", f"%{self.value}", self.constant(10, self.channels), self.constant(10), transB=1)
        body = "\n  ".join(self.lines)
        return f"graph main(image: f32[N, 1, 28, 28]) -> (y = %{self.value}) {{\n  {body}\n}}\n"


def residual_network():
    net = Network()
    net.conv(32, 3, 2)
    net.conv(64, 3, 2)
    net.conv(160, 3, 2)
    net.residual()
    net.residual()
    return net.text()


def separable_network():
    net = Network()
    net.conv(32, 3, 2)
    for channels, stride in [(64, 1), (128, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1)]:
        net.separable(channels, stride)
    return net.text()


def trained_file(name, text, data):
    """The network trained from scratch; what was trained once lies in build/trained under a digest of all that it depends on."""
    how = ["--from-scratch", "--std", "255", "--epochs", "3"]
    digest = hashlib.sha256("\n".join([text, *how, hashlib.sha256(data.read_bytes()).hexdigest()]).encode()).hexdigest()[:12]
    done = ROOT / "build" / "trained" / f"{name.replace(' ', '_')}.{digest}.onnx"
    if not done.exists():
        print(f"training the {name}: minutes", flush=True)
        done.parent.mkdir(parents=True, exist_ok=True)
        fresh = done.with_suffix(".txt")
        fresh.write_text(text)
        subprocess.run([binary(), "train", fresh, *how, "--data", data, "-o", done], check=True, stdout=subprocess.DEVNULL)
    return done


def trained(sheet, folder):
    """Two networks above a million parameters, trained here on 12 000 digits."""
    pictures, labels = digits("train30k-images-idx3-ubyte.gz"), digits("train30k-labels-idx1-ubyte.gz", labels=True)
    np.savez(folder / "train.npz", pixels=pictures[:12000], labels=labels[:12000])
    np.savez(folder / "calib.npz", x=pictures[-200:].astype(np.float32) / 255)
    np.savez(folder / "data.npz", x=digits("test5k-images-idx3-ubyte.gz").astype(np.float32) / 255,
             labels=digits("test5k-labels-idx1-ubyte.gz", labels=True))
    for name, text in [("residual network", residual_network()), ("separable network", separable_network())]:
        model = trained_file(name, text, folder / "train.npz")
        facts = json.loads(subprocess.run([binary(), "inspect", model, "--json"], capture_output=True, text=True, check=True).stdout)
        for times, points in [(8, 1), (10, 2.5), (16, 2.5)]:
            result = quantize(model, "--calib", folder / "calib.npz", "--samples", 200, "--data", folder / "data.npz",
                              "--target-ratio", times, "-o", folder / "t.ath")
            small = result["float"]["bytes"] / (folder / "t.ath").stat().st_size
            drop = 100 * (result["float"]["top1"] - result["coded"]["top1"])
            sheet.add(f"{name} of {facts['params']} parameters, {small:.2f} times smaller: drop on 5 000 digits", f"<= {points} points",
                      f"{drop:.2f} points of {100 * result['float']['top1']:.2f} %", facts["params"] > 1e6 and small >= times and drop <= points)


def deeplab(sheet, folder):
    model = MODELS / "tflite-vision" / "deeplabv3_float.tflite"
    for how, more in WAYS:
        quantize(model, "--calib", IMAGENET / "calib", "--samples", 60, "--resize", "257x257", *RGB, *more, "-o", folder / "s.ath")
        same = total = 0
        for path in [MODELS / "tflite-vision" / "segmentation_input_rotation0.jpg", *pictures(IMAGENET / "eval")[:30]]:
            flags = [path, "--resize", "257x257", *RGB]
            a, b = (outputs(m, *flags)[0].argmax(-1) for m in (model, folder / "s.ath"))
            same, total = same + np.sum(a == b), total + a.size
        sheet.add(f"DeepLab, {how}: the same label on 31 pictures", ">= 97 % of pixels", f"{100 * same / total:.2f} %", same >= 0.97 * total)


def superres(sheet, folder):
    model = MODELS / "onnx" / "super_resolution" / "super_resolution.onnx"
    for how, more in WAYS:
        quantize(model, "--calib", IMAGENET / "calib", "--samples", 60, "--std", 255, "--crop", 224, *more, "-o", folder / "u.ath")
        error = n = 0
        for path in pictures(IMAGENET / "eval")[:20]:
            a, b = (outputs(m, path, "--std", 255, "--crop", 224)[0].astype(np.float64) for m in (model, folder / "u.ath"))
            error, n = error + np.sum((np.clip(a, 0, 1) - np.clip(b, 0, 1))**2), n + a.size
        psnr = 10 * math.log10(n / error)
        sheet.add(f"super-resolution, {how}: PSNR against float on 20 pictures", ">= 40 dB", f"{psnr:.2f} dB", psnr >= 40)


def cosine(a, b):
    a, b = np.asarray(a, np.float64).reshape(-1), np.asarray(b, np.float64).reshape(-1)
    return a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-300)


def encoders(sheet, folder):
    """Topologies of the zoo with their seeded weights."""
    random = np.random.default_rng(1)
    ids = {"input_ids": random.integers(1000, 29000, (20, 64)), "token_type_ids": np.zeros((20, 64), np.int64),
           "attention_mask": np.ones((20, 64), np.float32)}
    np.savez(folder / "ids.npz", **{name: rows[:16] for name, rows in ids.items()})
    texts = []
    for i in range(16, 20):
        for name, rows in ids.items():
            np.save(folder / f"{name}{i}.npy", rows[i:i + 1])
        texts.append([word for name in ids for word in ("--input", f"{name}={folder / f'{name}{i}.npy'}")])
    photographs = [[path, "--crop", 224, *RGB] for path in pictures(IMAGENET / "eval")[:4]]
    for name, calib, cases in [("bert-base", ["--calib", folder / "ids.npz"], texts),
                               ("vit_b_16", ["--calib", IMAGENET / "calib", "--crop", 224, *RGB], photographs)]:
        model = folder / f"{name}.onnx"
        subprocess.run([binary(), "zoo", name, "-o", model, "--quiet"], check=True, capture_output=True)
        for how, flags in [("defaults, 16 samples", [*calib, "--samples", 16]), ("--activations dynamic", ["--activations", "dynamic"])]:
            quantize(model, *flags, "-o", folder / "e.ath")
            least = min(cosine(a, b) for case in cases for a, b in zip(outputs(model, *case), outputs(folder / "e.ath", *case)))
            sheet.add(f"{name}, {how}: least cosine of an output on {len(cases)} inputs", ">= 0.99", f"{least:.4f}", least >= 0.99)


# ---- the second stage

def recovered(lost, rest):
    return 100 * (lost - rest) / lost if lost > 0 else float("nan")


def w4a8(sheet, folder):
    # On CIFAR all 400 pictures that were not calibrated on; accuracy, and the energy of the outputs' error.
    for name, model, data in [("MobileNet v1 0.25", MOBILENET, ["--calib", IMAGENET / "calib", "--samples", 200, *labelled(folder)]),
                              ("ResNet-8", RESNET8, cifar(folder))]:
        top = {}
        for how in ("none", "bias", "gptq,empirical", "adaround,bias", "adaround,empirical"):
            result = quantize(model, *data, "--weight-bits", 4, "--method", "auto", "--correct", how, "-o", folder / "w.ath")
            top[how] = 100 * result["int8"]["top1"]
            real = 100 * result["float"]["top1"]
        told = f"float {real:.2f}, nearest {top['none']:.2f}, " + ", ".join(f"{how} {value:.2f}" for how, value in top.items() if how != "none")
        for rounding in ("adaround", "gptq"):
            share = recovered(real - top["none"], real - max(value for how, value in top.items() if how.startswith(rounding)))
            sheet.add(f"{name}, w4a8: {rounding} recovers of what nearest loses", ">= 80 %", f"{share:.0f} % ({told})", share >= 80)


def equalize(sheet, folder):
    top = {}
    for how in ("none", "equalize", "bias", "equalize,bias"):
        result = quantize(MOBILENET, "--calib", IMAGENET / "calib", "--samples", 200, *labelled(folder), "--per-tensor", "--correct", how, "-o",
                          folder / "e.ath")
        top[how] = 100 * result["int8"]["top1"]
        real = 100 * result["float"]["top1"]
    for base in ("none", "bias"):
        other = "equalize" if base == "none" else "equalize,bias"
        share = recovered(real - top[base], real - top[other])
        sheet.add(f"MobileNet v1 0.25, per-tensor weights: {other} recovers of what {base} loses", ">= 80 %",
                  f"{share:.0f} % (float {real:.2f}, {base} {top[base]:.2f}, {other} {top[other]:.2f})", share >= 80)


def drops(sheet, folder):
    """4-bit weights rounded to nearest, so that something has to go back to floats."""
    kept, most, broken = [], 0, 0
    for drop in (16, 8, 4, 2, 1):
        result = quantize(RESNET8, *cifar(folder), "--weight-bits", 4, "--correct", "none", "--max-drop", f"{drop}%", "-o", folder / "d.ath")
        decision = result.get("decision", result)
        kept.append(decision["in_float"])
        most = max(most, result["evaluations"])
        is_met = result["pass"]
        broken += is_met and 100 * (result["float"]["top1"] - result["int8"]["top1"]) > drop + 1e-9
        products = len(decision["ranked"]) if is_met and decision["ranked"] else 10
    allowed = 3 * math.log2(products) + 10
    sheet.add("ResNet-8, w4a8 to nearest, --max-drop 16 8 4 2 1 %: the drop is met, or the exit code is 3", "always", f"{5 - broken} of 5", broken == 0)
    sheet.add("the same: evaluations", f"<= 3 log2({products}) + 10 = {allowed:.0f}", most, most <= allowed)
    sheet.add("the same: products in float never grow with the drop", "never", f"{kept}", kept == sorted(kept))


# ---- files

def same(sheet, folder):
    digests = set()
    for run in range(10):
        quantize(RESNET8, *cifar(folder), "--threads", 1 + run % 2, "--max-drop", "0.1%", *BEST, "-o", folder / "same.ath")
        digests.add(hashlib.sha256((folder / "same.ath").read_bytes()).hexdigest())
    sheet.add("ten runs on 1 and 2 threads, ResNet-8: different files", "1", len(digests), len(digests) == 1)


def sizes(sheet, folder):
    noise = np.random.default_rng(1).normal(size=(4, 3, 224, 224)).astype(np.float32)
    np.savez(folder / "noise.npz", x=noise)
    for name in ("mobilenet_v2", "resnet18"):
        subprocess.run([binary(), "zoo", name, "-o", folder / f"{name}.onnx", "--quiet"], check=True, capture_output=True)
    cases = [(folder / "mobilenet_v2.onnx", ["--calib", folder / "noise.npz"]), (folder / "resnet18.onnx", ["--calib", folder / "noise.npz"]),
             (MOBILENET, ["--calib", IMAGENET / "calib", "--crop", 224, *RGB]), (RESNET8, cifar(folder)[:2]),
             (MODELS / "ultraface/onnx/version-RFB-320.onnx", ["--calib", IMAGENET / "calib", "--mean", 127, "--std", 128]),
             (MODELS / "onnx/yolox/yolox_nano_coco.onnx", ["--calib", IMAGENET / "calib", "--bgr"]),
             (MODELS / "tflite-vision/deeplabv3_float.tflite", ["--calib", IMAGENET / "calib", "--resize", "257x257", *RGB])]
    for model, flags in cases:
        facts = json.loads(subprocess.run([binary(), "inspect", model, "--json"], capture_output=True, text=True, check=True).stdout)
        quantize(model, *flags, "--samples", 20, "-o", folder / "z.ath")
        share = (folder / "z.ath").stat().st_size / (4 * facts["params"])
        asked = 0.27 if facts["params"] > 1e6 else 0.35
        sheet.add(f"{model.name}, {facts['params']} parameters: size of the file", f"<= {asked}", f"{share:.3f}", share <= asked)


CHECKS = {f.__name__: f for f in (mobilenet, resnet8, mnist, tiny, detectors, ratio, trained, deeplab, superres, encoders, w4a8, equalize, drops,
                                 same, sizes)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {' '.join(CHECKS)}")
    parser.add_argument("--defaults", action="store_true", help="leave out `--correct auto`, which takes ten times as long")
    flags = parser.parse_args()
    names = flags.names
    if flags.defaults:
        del WAYS[1:]
    unknown = set(names) - set(CHECKS)
    if unknown:
        sys.exit(f"there is no check {', '.join(sorted(unknown))}; these are: {' '.join(CHECKS)}")
    if not MODELS.exists():
        sys.exit(f"SKIPPED: {DATA} is absent")
    sheet = Sheet()
    with tempfile.TemporaryDirectory() as folder:
        for name in names or CHECKS:
            CHECKS[name](sheet, pathlib.Path(folder))
    print(f"{len(sheet.rows) - sheet.missed} met, {sheet.missed} missed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
