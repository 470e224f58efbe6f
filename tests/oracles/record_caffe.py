# SPDX-License-Identifier: Apache-2.0
"""Runs Caffe networks in OpenCV's dnn module and records its answers.

    /usr/bin/python3 tests/oracles/record_caffe.py build/release/bin/athanor   # writes caffe.npz; needs Debian's python3-opencv

Arrays: "corpus|NETWORK|OUTPUT" for the networks of caffe_corpus.py; "topology|NAME|OUTPUT" for prototxt files of the data set
with weights that `athanor convert --weights random --dialect opencv` made up and wrote, for an input by the rule of README.md
("data", in [-1, 1)); "wechat|boxes" for a QR code that stands in "wechat|code", drawn as tests/caffe_test.py draws it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))
import caffe_corpus  # noqa: E402
from caffe_test import FORMULAS, SHAPES, draw  # noqa: E402
from models_test import DATA, random_tensor  # noqa: E402


def found(detections):
    """OpenCV fills the table up with rows of zeros."""
    rows = detections.reshape(-1, 7)
    return rows[rows[:, 2] > 0][None, None]


def run(prototxt, caffemodel, inputs):
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(caffemodel))
    for name, value in inputs.items():
        net.setInput(value, name)
    names = net.getUnconnectedOutLayersNames()
    return {name: found(value) if value.shape[-1:] == (7,) else value for name, value in zip(names, net.forward(names))}


def main():
    recorded = {"version": np.array(cv2.__version__)}
    with tempfile.TemporaryDirectory() as folder:
        networks = caffe_corpus.write(folder, random_tensor, lambda rows: np.array(rows, np.float32))
        for name, inputs in networks.items():
            if name in FORMULAS:
                continue
            path = Path(folder, name)
            for output, value in run(path.with_suffix(".prototxt"), path.with_suffix(".caffemodel"), inputs).items():
                recorded[f"corpus|{name}|{output}"] = value.astype(np.float32)
                print(name, output, value.shape)
        for name, (file, shape) in SHAPES.items():
            written = Path(folder, f"{name}.prototxt")
            source = DATA / "mobilenet/caffe-topology" / file
            subprocess.run([sys.argv[1], "convert", source, "--weights", "random", "--dialect", "opencv", "-o", written, "--no-check"],
                           check=True)
            picture = random_tensor("data", np.float32, shape, -1.0, 1.0)
            for output, value in run(written, written.with_suffix(".caffemodel"), {"data": picture}).items():
                recorded[f"topology|{name}|{output}"] = value[:1].astype(np.float32)
                print(name, output, value.shape, float(value.max()))
    code = cv2.QRCodeEncoder.create().encode("athanor")
    recorded["wechat|code"] = code
    wechat = DATA / "caffe/wechat_qr_detect"
    boxes = run(wechat.with_suffix(".prototxt"), wechat.with_suffix(".caffemodel"), {"data": draw(code)})["detection_output"]
    print("wechat", boxes)
    recorded["wechat|boxes"] = boxes
    np.savez_compressed(HERE / "caffe.npz", **recorded)


if __name__ == "__main__":
    main()
