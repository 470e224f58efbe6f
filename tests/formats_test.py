#!/usr/bin/env python3
"""The same networks from each format that they come in: the same outputs and the same boxes.

    python3 tests/formats_test.py [--binary build/test/bin/athanor] [--device cpu] [--figures]

UltraFace from ONNX, Caffe, TFLite, ncnn and MNN on every picture of the data set; FastestDet from ONNX and ncnn and
Yolo-Fastest from darknet and ncnn, whose files hold weights of half precision; and the accuracy of MobileNet's TFLite files
that the data set states. --figures prints what was measured. Prints one line per failure and
"N passed, N failed, N skipped".
"""
import base64
import itertools
import json
import re
import sys

import numpy as np

from models_test import DATA, run_parts

FIGURES = "--figures" in sys.argv
if FIGURES:
    sys.argv.remove("--figures")
CLOSE = 1e-4  # rel-L2 of two files with the same weights
HALF = 5e-3  # of two of which one has weights of half precision
LEAST_OVERLAP = 0.99
IMAGENET = DATA.parent / "imagenet-sample"


def rel_l2(got, want):
    got, want = (np.concatenate([part.ravel().astype(np.float64) for part in parts]) for parts in (got, want))
    return float(np.linalg.norm(got - want) / np.linalg.norm(want))


def figure(what, value):
    if FIGURES:
        print(f"{what}: {value}")


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def overlaps(a, b):
    """Intersection over union of boxes of corners, row by row."""
    inner = np.prod(np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0), axis=1)
    areas = [np.prod(box[:, 2:] - box[:, :2], axis=1) for box in (a, b)]
    return inner / (areas[0] + areas[1] - inner)


def corners(centres, sizes):
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


def same_objects(pairs, least):
    """Rows that either file takes for an object (score above `least`): how many, and the least overlap of their boxes."""
    (boxes, scores), (others, other_scores) = pairs
    seen = np.maximum(scores, other_scores) > least
    return int(seen.sum()), float(overlaps(boxes[seen], others[seen]).min()) if seen.any() else 0.0


def judged(what, error, limit, objects=None):
    figure(what, f"rel-L2 {error:.2e}" + (f", {objects[0]} boxes, least overlap {objects[1]:.4f}" if objects else ""))
    yield what, None if error <= limit else f"rel-L2 {error:.2e}, at most {limit:.0e}"
    if objects:
        yield f"boxes of {what}", None if objects[0] and objects[1] >= LEAST_OVERLAP else f"{objects[0]} boxes, least overlap {objects[1]:.4f}"


def priors():
    """Centres and sizes of UltraFace's default boxes, as shares of the picture."""
    rows = []
    for (width, height), stride, boxes in [((40, 30), 8, (10, 16, 24)), ((20, 15), 16, (32, 48)), ((10, 8), 32, (64, 96)),
                                           ((5, 4), 64, (128, 192, 256))]:
        # Spread as 320 and 240 pixels over the cells: 8 rows stand for 7.5.
        for y, x in itertools.product(range(height), range(width)):
            rows += [[(x + 0.5) / (320 / stride), (y + 0.5) / (240 / stride), box / 320, box / 240] for box in boxes]
    return np.minimum(np.array(rows), 1)


def faces(answer, defaults):
    centres = answer[0][0][:, :2] * 0.1 * defaults[:, 2:] + defaults[:, :2]
    return corners(centres, np.exp(answer[0][0][:, 2:] * 0.2) * defaults[:, 2:]), answer[1][0][:, 1]


def ultraface(runner, folder):
    home, defaults = DATA / "ultraface", priors()
    forms = {"onnx": (home / "onnx/version-RFB-320_without_postprocessing.onnx", "input", ("boxes", "scores")),
             "caffe": (home / "caffe/RFB-320.prototxt", "input", ("boxes", "scores")),
             "mnn": (home / "mnn/RFB-320.mnn", "input", ("boxes", "scores")),
             "ncnn": (home / "ncnn/RFB-320.param", "input", ("boxes", "scores")),
             "onnx through ncnn": (folder / "rfb.param", "input", ("boxes", "scores")),
             "tflite": (home / "tflite/version-RFB-320_without_postprocessing.tflite", "input_1", ("Identity", "Identity_1"))}
    runner.call("convert", home / "onnx/version-RFB-320_simplified.onnx", "-o", folder / "rfb.param")
    flags = ["--mean", "127", "--std", "128", "--rgb", "--resize", "240x320"]
    for picture in sorted(home.glob("golden/*.png")) + sorted(home.glob("images/*.jpg")):
        answers = {}
        for form, (model, given, wanted) in forms.items():
            got = runner.run(model, {given: picture}, flags)
            answers[form] = [got[name] for name in wanted]
        for a, b in itertools.combinations(forms, 2):
            objects = same_objects([faces(answers[form], defaults) for form in (a, b)], 0.7)
            yield from judged(f"UltraFace on {picture.name}, {a} and {b}", rel_l2(answers[a], answers[b]), CLOSE, objects)


def cut_to_half(text):
    """A network's text form with its weights cut to 16 bits, as ncnn's converter of that time did: digits are dropped, not rounded."""
    def cut(match):
        exact = np.frombuffer(base64.b64decode(match[2]), np.float32)
        normal = (exact.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
        numbers = np.where(np.abs(exact) < 2.0**-14, np.trunc(exact * np.float32(2.0**24)) * np.float32(2.0**-24), normal)
        return f'{match[1]}base64"{base64.b64encode(numbers.tobytes()).decode()}"'

    # One axis: biases, which stay as they are.
    return re.sub(r'(const %[^\n=]*: f32\[\d+, [\d, ]+\] = )base64"([^"]*)"', cut, text)


def fastestdet(runner, folder):
    home = DATA / "onnx/fastestdet"
    flags, given = ["--bgr", "--std", "255", "--resize", "352x352"], "input.1"
    runner.call("convert", home / "FastestDet.onnx", "-o", folder / "net.txt")
    (folder / "half.txt").write_text(cut_to_half((folder / "net.txt").read_text()))

    def objects(answer):
        rows = answer[0].reshape(85, -1).T.astype(np.float64)
        cells = np.stack(np.meshgrid(np.arange(22), np.arange(22)), -1).reshape(-1, 2)
        scores = rows[:, :1]**0.6 * rows[:, 5:]**0.4
        return corners((np.tanh(rows[:, 1:3]) + cells) / 22, sigmoid(rows[:, 3:5])), scores.max(axis=1)

    for picture in [home / "dog_352x352.png", *sorted((DATA / "onnx/images").glob("*.jpg"))]:
        answers = {form: [runner.run(model, {given: picture}, flags)["758"]] for form, model in
                   (("onnx", home / "FastestDet.onnx"), ("ncnn", home / "ncnn/FastestDet.param"), ("half", folder / "half.txt"))}
        # As they are, the two differ by what the digits are worth: 1.2e-2.
        figure(f"FastestDet on {picture.name}, onnx as it is", f"{rel_l2(answers['ncnn'], answers['onnx']):.2e}")
        yield from judged(f"FastestDet on {picture.name}, onnx and ncnn", rel_l2(answers["ncnn"], answers["half"]), CLOSE,
                          same_objects([objects(answers[form]) for form in ("half", "ncnn")], 0.5))


def decode(head, anchors):
    """Rows of a head [255, h, w] as darknet's own code has them: cell by cell, each with its three anchors."""
    _, h, w = head.shape
    t = head.reshape(3, 85, h, w).transpose(2, 3, 0, 1).astype(np.float64)
    rows = np.empty_like(t)
    rows[..., 0] = (sigmoid(t[..., 0]) + np.arange(w)[None, :, None]) / w
    rows[..., 1] = (sigmoid(t[..., 1]) + np.arange(h)[:, None, None]) / h
    rows[..., 2:4] = np.exp(t[..., 2:4]) * np.array(anchors) / 320
    rows[..., 4] = sigmoid(t[..., 4])
    rows[..., 5:] = sigmoid(t[..., 5:]) * rows[..., 4:5]
    return rows.reshape(-1, 85)


def yolo_fastest(runner, folder):
    home = DATA / "darknet"
    # Without its last layer, which chooses among the boxes, ncnn's network ends with the heads.
    lines = (home / "yolo-fastest-1.1.ncnn.param").read_text().strip().split("\n")
    assert "Yolov3DetectionOutput" in lines[-1]
    layers, blobs = map(int, lines[1].split())
    param = folder / "yolo.param"
    param.write_text("\n".join([lines[0], f"{layers - 1} {blobs - 1}", *lines[2:-1]]) + "\n")
    param.with_suffix(".bin").write_bytes((home / "yolo-fastest-1.1.ncnn.bin").read_bytes())
    flags, given = ["--scale", "0.00392156862745098", "--rgb", "--resize", "320x320"], lines[2].split()[1]

    def objects(rows):
        return corners(rows[:, :2], rows[:, 2:4]), rows[:, 5:].max(axis=1)

    for picture in [home / "dog_320x320.png", *sorted((DATA / "onnx/images").glob("*.jpg"))]:
        ours = runner.run(home / "yolo-fastest-1.1.cfg", {"data": picture}, flags)
        heads = runner.run(param, {given: picture}, flags)
        want = [ours[name][0].astype(np.float64) for name in ("yolo_121", "yolo_130")]
        got = [decode(heads["120_854"][0], [[115, 73], [119, 199], [242, 238]]), decode(heads["129_922"][0], [[12, 18], [37, 49], [52, 132]])]
        yield from judged(f"YOLO-Fastest on {picture.name}, darknet and ncnn", rel_l2(got, want), HALF,
                          same_objects([objects(np.concatenate(rows)) for rows in (want, got)], 0.3))


# Real numbers as inputs, top-1 and top-5 in percent of the 300 pictures; the data's README states them.
MOBILENETS = {"mobilenet_v1_0.25_224_float": (True, 54.0, 82.3), "mobilenet_v1_0.25_224_quant": (False, 52.7, 81.0),
              "mobilenet_v2_1.0_224_quant": (False, 86.0, 98.7)}


def mobilenets(runner, folder):
    rows = (IMAGENET / "labels.csv").read_text().splitlines()
    labels = folder / "labels.csv"
    labels.write_text("\n".join(rows[:1] + [row for row in rows if row.startswith("eval/")]) + "\n")
    for name, (real, top1, top5) in MOBILENETS.items():
        flags = ["--mean", "127.5", "--std", "127.5"] if real else []
        told = json.loads(runner.call("eval", DATA / f"mobilenet/{name}.tflite", "--data", IMAGENET / "eval", "--labels", labels, "--task", "classify",
                                      "--label-offset", "1", "--crop", "224", "--rgb", *flags, "--json"))
        got = 100 * told["top1"], 100 * told["top5"]
        figure(name, f"top-1 {got[0]:.2f} % ({top1} stated), top-5 {got[1]:.2f} % ({top5}) of {told['n']}")
        # Quantised ones were stated from arithmetic of real numbers: within a point.
        limit = 0.05 if real else 1
        yield name, None if told["n"] == 300 and abs(got[0] - top1) <= limit and abs(got[1] - top5) <= limit else f"{got} of {told['n']}"


if __name__ == "__main__":
    sys.exit(run_parts(__doc__, [], [ultraface, fastestdet, yolo_fastest, mobilenets]))
