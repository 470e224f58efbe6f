#!/usr/bin/env python3
"""Packages from the outside: UltraFace from several formats finds the same faces; changed bytes and wrong keys are refused.

    python3 tests/package_test.py [--binary build/test/bin/athanor]

Prints one line per failure and "N passed, N failed, N skipped".
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("ATHANOR_DATA", ROOT.parent / "shared" / "data")) / "models" / "ultraface"
PRIORS = """
      priors:
        - {stride: 8, boxes: [10, 16, 24]}
        - {stride: 16, boxes: [32, 48]}
        - {stride: 32, boxes: [64, 96]}
        - {stride: 64, boxes: [128, 192, 256]}"""
DECODE = {"tflite": "ssd_decode:\n      boxes: Identity\n      scores: Identity_1"}
PIPELINE = """name: faces
stages:
  - decode: {{colour: rgb}}
  - resize: {{to: [240, 320]}}
  - normalise: {{mean: 127, std: 128}}
  - model: {{file: {model}}}
  - {decode}
  - nms: {{min_score: 0.7, max_overlap: 0.3}}
"""


class Package:
    """Runs the command line in a folder of its own."""

    def __init__(self, binary, folder):
        self.binary, self.folder = str(pathlib.Path(binary).resolve()), pathlib.Path(folder)

    def call(self, *arguments):
        return subprocess.run([self.binary, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True, check=False)

    def json(self, *arguments):
        run = self.call(*arguments, "--json")
        if run.returncode != 0:
            raise RuntimeError(f"exit {run.returncode}: {run.stderr.strip()[-300:]}")
        return json.loads(run.stdout)

    def pack(self, name, model, decode="ssd_decode:" + PRIORS, *flags):
        (self.folder / f"{name}.yaml").write_text(PIPELINE.format(model=model, decode=decode))
        self.json("pack", f"{name}.yaml", *flags)
        return f"{name}.athpkg"


def same_boxes(a, b, tolerance):
    return len(a) == len(b) and all(
        abs(x["score"] - y["score"]) < 1e-3 and np.allclose(x["box"], y["box"], atol=tolerance) for x, y in zip(a, b))


def ultraface(package):
    """The offsets decoded by the package against boxes that the network decodes itself, and format against format."""
    images = sorted((DATA / "images").glob("*.jpg"))
    own = package.pack("own", DATA / "onnx/version-RFB-320.onnx", "boxes: {boxes: boxes, scores: scores}")
    expected = package.json("run", own, DATA / "images")["runs"]
    yield f"faces in {len(images)} photographs", None if sum(len(run["boxes"]) for run in expected) >= len(images) else "too few"
    models = {"onnx": DATA / "onnx/version-RFB-320_without_postprocessing.onnx", "ncnn": DATA / "ncnn/RFB-320.param"}
    for form, model in models.items():
        runs = package.json("run", package.pack(form, model), DATA / "images")["runs"]
        wrong = [pathlib.Path(run["input"]).name for run, want in zip(runs, expected) if not same_boxes(run["boxes"], want["boxes"], 0.5)]
        yield f"UltraFace from {form}", f"other boxes in {wrong}" if wrong else None
    drawn = package.call("run", "ncnn.athpkg", images[0], "--save", "boxes.png")
    yield "boxes drawn", None if drawn.returncode == 0 and (package.folder / "boxes.png").stat().st_size > 10000 else drawn.stderr
    raw = package.call("run", DATA / "ncnn/RFB-320.param", DATA / "golden/1_320x240.png", "--boxes", "--mean", 127, "--std", 128)
    yield "run --boxes refuses offsets", None if "holds no corners" in raw.stdout else raw.stdout + raw.stderr


def overlap(a, b):
    """Intersection over union of two boxes of corners."""
    width, height = (max(0, min(a[2 + i], b[2 + i]) - max(a[i], b[i])) for i in (0, 1))
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (areas - width * height)


def faces_report(package):
    """The same detector from three formats on every photograph: outputs, boxes, and the page that shows them."""
    images = sorted((DATA / "images").glob("*.jpg"))
    formats = {"onnx": DATA / "onnx/version-RFB-320_without_postprocessing.onnx", "ncnn": DATA / "ncnn/RFB-320.param",
               "tflite": DATA / "tflite/version-RFB-320_without_postprocessing.tflite"}
    packages = {form: package.pack(f"report_{form}", model, DECODE.get(form, "ssd_decode:") + PRIORS) for form, model in formats.items()}
    # The converter of the TFLite file changed the weights: TensorFlow Lite itself is up to 2.3e-4 away from the ONNX file on raw offsets.
    told = package.json("compare", packages["onnx"], packages["ncnn"], "--and", packages["tflite"], "--input", DATA / "images",
                        "--atol", "1e-3", "--report", "faces.html")
    yield "three formats see the same", None if told["pass"] and told["pictures"] == len(images) else str(told)
    # Within 1e-4 the outputs differ and the boxes do not: the boxes decide.
    close = package.json("compare", packages["onnx"], packages["tflite"], "--input", DATA / "images")
    yield "boxes decide", None if close["pass"] and not close["packages"][1]["outputs_pass"] else str(close["packages"])
    # What the comparison claims, from the answers of each package by itself.
    runs = {form: package.json("run", path, DATA / "images")["runs"] for form, path in packages.items()}
    for form in ("ncnn", "tflite"):
        for run, want in zip(runs[form], runs["onnx"]):
            least = min((max(overlap(box["box"], other["box"]) for other in run["boxes"]) for box in want["boxes"]), default=1)
            wrong = len(run["boxes"]) != len(want["boxes"]) or least < 0.99
            yield f"boxes of {pathlib.Path(run['input']).name} from {form}", f"overlap {least}" if wrong else None
        for picture in images:
            answers = []
            for which in (form, "onnx"):
                package.json("run", packages[which], picture, "--save", "out.npz")
                with np.load(package.folder / "out.npz") as arrays:
                    answers.append(sorted(arrays.values(), key=lambda array: array.shape))
            error = max(np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(*answers))
            yield f"outputs of {picture.name} from {form}", None if error <= 1e-4 else f"relative L2 {error:.2e}"
    page = (package.folder / "faces.html").read_text()
    boxes = sum(len(run["boxes"]) for form in runs.values() for run in form)
    yield "a picture for each photograph", None if page.count("data:image/jpeg") == len(images) else str(page.count("data:image/jpeg"))
    yield "every box is drawn", None if page.count("class='frame") == boxes + 1 else f"{page.count('class=' + chr(39) + 'frame')} of {boxes}"
    other = package.pack("slim", DATA / "ncnn/slim_320.param")
    differs = package.call("compare", packages["onnx"], other, "--input", DATA / "images", "--json")
    yield "another network differs", None if differs.returncode == 3 and not json.loads(differs.stdout)["pass"] else str(differs.returncode)


def locks(package):
    package.json("keys", "vendor")
    package.json("keys", "customer", "--kind", "recipient")
    package.json("keys", "stranger", "--kind", "recipient")
    (package.folder / "secret").write_text("open sesame\n")
    digits = ROOT / "examples" / "digits"
    picture = digits / "images" / "3_0389.png"
    package.json("pack", digits / "pipeline.yaml", "-o", "plain.athpkg")
    want = package.json("run", "plain.athpkg", picture)["runs"][0]["classes"]
    yield "a digit is read", None if want[0]["label"] == "3" and want[0]["score"] > 0.9 else str(want)
    for cipher in ("aes-256-gcm", "chacha20-poly1305"):
        package.json("pack", digits / "pipeline.yaml", "-o", "locked.athpkg", "--sign", "vendor.key", "--encrypt", "customer.pub",
                     "--passphrase-file", "secret", "--cipher", cipher)
        for flags in (["--key", "customer.key", "--trust", "vendor.pub"], ["--passphrase-file", "secret"]):
            got = package.json("run", "locked.athpkg", picture, *flags)
            yield f"{cipher} {flags[0]}", None if got["runs"][0]["classes"] == want and got["signer"] else str(got)
    said = package.call("run", "locked.athpkg", picture, "--key", "customer.key", "--trust", "vendor.pub").stdout.splitlines()[-1]
    yield "the next command has the keys", None if "--key customer.key --trust vendor.pub --save" in said else said
    said = package.call("run", "locked.athpkg", picture, "--key", "customer.key", "--save", "a.json").stdout.splitlines()[-1]
    yield "what was saved is not proposed again", None if said.endswith("serve locked.athpkg --key customer.key") else said
    wrong = package.call("run", "locked.athpkg", picture, "--key", "customer.key", "--save", "a.txt")
    yield "--save a.txt", None if wrong.returncode == 1 and ".json or .npz or .png is expected" in wrong.stderr else wrong.stderr
    for what, flags, code in [("no key", [], 1), ("a stranger's key", ["--key", "stranger.key"], 1),
                              ("a signer not trusted", ["--key", "customer.key", "--trust", "stranger.pub"], 1)]:
        run = package.call("run", "locked.athpkg", picture, *flags)
        yield what, None if run.returncode in (code, 2) and "error ATH-" in run.stderr else f"exit {run.returncode}: {run.stderr}"
    good = (package.folder / "locked.athpkg").read_bytes()
    for at in np.linspace(0, len(good) - 1, 40).astype(int):
        bad = bytearray(good)
        bad[at] ^= 1 << (at % 8)
        (package.folder / "bad.athpkg").write_bytes(bad)
        run = package.call("unpack", "bad.athpkg", "-o", "out", "--key", "customer.key")
        refused = run.returncode in (1, 2) and "error ATH-" in run.stderr
        yield f"byte {at} changed", None if refused else f"exit {run.returncode}: {run.stdout[-200:]}"
    unpacked = package.json("unpack", "locked.athpkg", "-o", "parts", "--key", "customer.key")
    same = package.call("compare", "parts/digits.ath", digits / "digits.onnx")
    yield "unpacked", None if len(unpacked["entries"]) == 3 and same.returncode == 0 else same.stderr


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    options = parser.parse_args()
    passed = failed = skipped = 0
    with tempfile.TemporaryDirectory() as folder:
        package = Package(options.binary, folder)
        parts = [locks]
        if DATA.is_dir():
            parts += [ultraface, faces_report]
        else:
            print(f"SKIPPED UltraFace: {DATA} is absent")
            skipped = 1
        for part in parts:
            for what, problem in part(package):
                passed += problem is None
                failed += problem is not None
                if problem is not None:
                    print(f"FAIL {what}: {problem}", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
