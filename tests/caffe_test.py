#!/usr/bin/env python3
"""Caffe and darknet networks against OpenCV's answers (tests/oracles/caffe.npz) and against other formats of the same network.

    python3 tests/caffe_test.py [--binary build/test/bin/athanor] [--device cpu]

Prints one line per failure and "N passed, N failed, N skipped".
"""
import subprocess
import sys

import numpy as np

from models_test import DATA, ROOT, random_tensor, run_parts

sys.path.insert(0, str(ROOT / "tests" / "oracles"))
import caffe_corpus  # noqa: E402

MAX_REL_L2 = 1e-4
MAX_ABS = 1e-4
SHAPES = {"mobilenet_v1": ("mobilenet_v1_deploy.prototxt", [1, 3, 224, 224]), "mobilenet_v2": ("mobilenet_v2_deploy.prototxt", [1, 3, 224, 224]),
          "squeezenet_v1.1": ("squeezenet_v1.1_deploy.prototxt", [10, 3, 227, 227])}
# Networks of the zoo that Caffe can express, and ones it cannot with what the error must name.
WRITTEN = ["mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "resnet18", "squeezenet1_1", "mlp", "resnet8", "ds_cnn", "vww",
           "shufflenet_v1", "shufflenet_v2"]
NOT_WRITTEN = {"gru": "(GRU)", "lstm": "(LSTM)"}


def rel_l2(got, want):
    got, want = got.astype(np.float64), want.astype(np.float64)
    if got.shape != want.shape:
        return f"shape {got.shape}, expected {want.shape}"
    error = np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-12)
    return None if error <= MAX_REL_L2 else f"rel-L2 {error:.2e}"


def draw(code):
    """A QR code in the middle of a grey picture, as the network reads it: 1x1x384x384 in 0..1."""
    picture = np.full((384, 384), 200, np.float32)
    size = code.shape[0] * 6
    at = (384 - size) // 2
    picture[at:at + size, at:at + size] = np.kron(code, np.ones((6, 6)))
    return (picture / 255.0)[None, None].astype(np.float32)


def softmax(x, axis):
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def reorg(x):
    """darknet's reorg_cpu for a stride of 2, index by index."""
    n, c, h, w = x.shape
    flat, out = x.reshape(n, -1), np.empty((n, c * h * w), np.float32)
    for k in range(c):
        for j in range(h):
            for i in range(w):
                part, offset = k % (c // 4), k // (c // 4)
                out[:, i + w * (j + h * k)] = flat[:, 2 * i + offset % 2 + 2 * w * (2 * j + offset // 2 + 2 * h * part)]
    return out.reshape(n, 4 * c, h // 2, w // 2)


def interp(x, height, width):
    """Bilinear, corners on corners."""
    for axis, size in ((2, height), (3, width)):
        at = np.arange(size) * (x.shape[axis] - 1) / (size - 1)
        low = np.minimum(at.astype(int), x.shape[axis] - 2)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(4)])
        x = np.take(x, low, axis) * (1 - part) + np.take(x, low + 1, axis) * part
    return x


def lstm(x, cont, weights):
    on_x, shift, on_h = weights
    hidden = cell = np.zeros((x.shape[1], on_h.shape[1]))
    squash = lambda v: 1 / (1 + np.exp(-v))
    states = []
    for step, keep in zip(x, cont[..., None]):
        i, f, o, g = np.split(step @ on_x.T + shift + (hidden * keep) @ on_h.T, 4, axis=1)
        cell = keep * squash(f) * cell + squash(i) * np.tanh(g)
        hidden = squash(o) * np.tanh(cell)
        states.append(hidden)
    return np.stack(states)


def weights_of(network, layer="y"):
    return [random_tensor(f"{network}/{layer}/{i}", np.float32, list(shape), *bounds)
            for i, (shape, bounds) in enumerate(caffe_corpus.NETWORKS[network][2][layer])]


FORMULAS = {
    "argmax": lambda x: x.argmax(1)[:, None],
    "inner_product": lambda x: x.reshape(1, 60) @ weights_of("inner_product")[0].T + weights_of("inner_product")[1],
    "inner_product_axis": lambda x: x.reshape(2, 3, 20) @ weights_of("inner_product_axis")[0],
    "interp": lambda x: interp(x, 9, 11),
    "lstm": lambda x, cont: lstm(x, cont, weights_of("lstm")),
    "reorg": reorg,
    "shuffle": lambda x: x.reshape(1, 3, 2, 4, 5).transpose(0, 2, 1, 3, 4).reshape(x.shape),
    "softmax_axis": lambda x: softmax(x, 2),
    "tile": lambda x: np.tile(x, (1, 3, 1, 1)),
}


def formulas(runner, folder, recorded):
    """Networks that OpenCV 4.6 does not read, or not rightly, against what the layer's authors say it computes."""
    networks = caffe_corpus.write(folder, random_tensor, lambda rows: np.array(rows, np.float32))
    for network, formula in FORMULAS.items():
        got = runner.run(folder / f"{network}.prototxt", networks[network])["y"]
        yield f"formula of {network}", rel_l2(got, np.asarray(formula(**networks[network])))


def corpus(runner, folder, recorded):
    networks = caffe_corpus.write(folder, random_tensor, lambda rows: np.array(rows, np.float32))
    for key in recorded.files:
        kind, *rest = key.split("|")
        if kind != "corpus":
            continue
        network, output = rest
        got = runner.run(folder / f"{network}.prototxt", networks[network])
        if network == "detection":  # rows of one class and score may stand in either order
            def order(rows):
                return rows.reshape(-1, 7)[np.lexsort(rows.reshape(-1, 7).T[::-1])]

            yield f"OpenCV on {network}", rel_l2(order(got[output]), order(recorded[key]))
        else:
            yield f"OpenCV on {network}", rel_l2(got[output].ravel(), recorded[key].ravel())


def topologies(runner, folder, recorded):
    for name, (file, shape) in SHAPES.items():
        source = DATA / "mobilenet/caffe-topology" / file
        picture = random_tensor("data", np.float32, shape, -1.0, 1.0)
        key = next(key for key in recorded.files if key.startswith(f"topology|{name}|"))
        got = runner.run(source, {"data": picture}, ["--weights", "random"])[key.split("|")[2]]
        yield f"OpenCV on {name}", rel_l2(got[:1], recorded[key])


def overlap(a, b):
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    common = np.prod(np.maximum(high - low, 0))
    return common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)


def wechat(runner, folder, recorded):
    code, want = recorded["wechat|code"], recorded["wechat|boxes"].reshape(-1, 7)
    got = runner.run(DATA / "caffe/wechat_qr_detect.prototxt", {"data": draw(code)})["detection_output"].reshape(-1, 7)
    yield "WeChat's detector as OpenCV runs it", rel_l2(got, want)
    size = code.shape[0] * 6 / 384
    best = got[got[:, 2].argmax()]
    share = overlap(best[3:], np.array([0.5 - size / 2, 0.5 - size / 2, 0.5 + size / 2, 0.5 + size / 2]))
    yield "WeChat's detector finds the code", None if best[2] > 0.5 and share > 0.6 else f"score {best[2]:.2f}, overlap {share:.2f}"
    empty = runner.run(DATA / "caffe/wechat_qr_detect.prototxt", {"data": np.zeros((1, 1, 384, 384), np.float32)})["detection_output"]
    nothing = np.array([0, -1, -1, -1, -1, -1, -1], np.float32)
    yield "an empty picture has no boxes", None if np.array_equal(empty.ravel(), nothing) else str(empty.ravel()[:14])


def ultraface(runner, folder, recorded):
    """The slim network, whose boxes are decoded in ONNX, not in Caffe; tests/formats_test.py has the other one."""
    flags = ["--mean", "127", "--std", "128", "--rgb", "--resize", "240x320"]
    for picture in sorted(DATA.glob("ultraface/golden/*.png")) + sorted(DATA.glob("ultraface/images/*.jpg")):
        want = runner.run(DATA / "ultraface/onnx/version-slim-320.onnx", {"input": picture}, flags)["scores"]
        got = runner.run(DATA / "ultraface/caffe/slim-320.prototxt", {"input": picture}, flags)["scores"]
        error = float(np.abs(got - want).max())
        yield f"UltraFace slim-320 on {picture.name}", None if error <= MAX_ABS else f"{error:.2e} from ONNX's answer"


def yolo(runner, folder, recorded):
    """The first head against OpenCV's rows; tests/formats_test.py compares with ncnn's file of the network."""
    dog = DATA / "darknet/dog_320x320.png"
    ours = runner.run(DATA / "darknet/yolo-fastest-1.1.cfg", {"data": dog}, ["--scale", "0.00392156862745098", "--rgb"])
    got, want = ours["yolo_121"][0], np.load(DATA / "darknet/dog_320x320.yolo_121.npy")
    seen = want[:, 5:] > 0  # OpenCV zeroes small scores
    yield "YOLO-Fastest's boxes as OpenCV has them", rel_l2(got[:, :5], want[:, :5])
    yield "YOLO-Fastest's scores as OpenCV has them", rel_l2(got[:, 5:][seen], want[:, 5:][seen])


def round_trips(runner, folder, recorded):
    for network in WRITTEN:
        problem = None
        try:
            runner.call("convert", f"zoo:{network}", "-o", folder / f"{network}_zoo.prototxt")
        except RuntimeError as error:
            problem = str(error)
        yield f"{network} through Caffe", problem
    for network, place in NOT_WRITTEN.items():
        sizes = ["--set-dim", "sequence=4", "--set-dim", "batch=1"]
        run = subprocess.run([runner.binary, "convert", f"zoo:{network}", *sizes, "-o", str(folder / "no.prototxt")],
                             capture_output=True, text=True)
        yield f"{network} is refused by its node", None if run.returncode == 2 and place in run.stderr else run.stderr[-300:]


def with_recorded(parts):
    recorded = np.load(ROOT / "tests" / "oracles" / "caffe.npz")
    return [lambda runner, folder, part=part: part(runner, folder, recorded) for part in parts]


if __name__ == "__main__":
    sys.exit(run_parts(__doc__, with_recorded([corpus, formulas, round_trips]), with_recorded([topologies, wechat, ultraface, yolo])))
