#!/usr/bin/env python3
"""Every network of the zoo written in every format and read back: `./dev round-trips`.

    python3 tests/round_trips.py [--binary build/test/bin/athanor] [--up-to GMAC] [--formats caffe,tflite] [--mark] [NAME ...]

`athanor convert` proves what it writes: the file is read again and must give the network's own answers within 1e-4, on
random inputs. Prints a table, "ok" or the number of a reason below it: what a format cannot express is refused with the
node or the input, and stands in tests/round_trips_refused.txt ("FORMAT NETWORK part of the reason"). Anything else fails: other
answers, an error without a place, a refusal that is not listed or that is listed and did not come. Ends with
"N passed, N failed, N skipped"; --mark writes the list anew from what is refused.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

from models_test import ROOT

REFUSED = ROOT / "tests" / "round_trips_refused.txt"
# Name: the file that is written, and more words.
FORMATS = {
    "onnx": ("model.onnx",),
    "onnx-13": ("model.onnx", "--opset", "13"),
    "openvino": ("model.xml",),
    "tflite": ("model.tflite",),
    "ncnn": ("model.param",),
    "caffe": ("model.prototxt",),
    "caffe-bvlc": ("model.prototxt", "--dialect", "bvlc"),
    "caffe-ssd": ("model.prototxt", "--dialect", "ssd"),
    "caffe-opencv": ("model.prototxt", "--dialect", "opencv"),
}
# Sizes of open dimensions, where a format must know them.
SIZES = {name: ["--set-dim", "sequence=2", "--set-dim", "batch=16"] for name in ("gru", "lstm")}
# Boxes are chosen for one picture there. Corners are differences of numbers of hundreds of pixels: near 0 the last bits of
# those are 2e-4 to 8e-4, which is as far as engines are apart that run the same file (rel-L2 of all: 5e-7).
SIZES |= {(name, "tflite"): ["--set-dim", "N=1", "--atol", "2e-3"] for name in ("fcos", "retinanet", "ssd_mobilenet_v1", "yolov4_tiny", "yolov5s", "yolov8n")}
UNSUPPORTED = 2  # the exit code of a refusal


def listed():
    """(format, network): a part of the reason."""
    entries = {}
    for line in REFUSED.read_text().splitlines() if REFUSED.exists() else []:
        if line and not line.startswith("#"):
            form, network, reason = line.split(" ", 2)
            entries[form, network] = reason
    return entries


def problem_of(text):
    """The first problem that is named, without the file it is in."""
    found = re.search(r"error ATH-\d+ \[\w+\] (.*)", text)
    reason = found[1] if found else text.strip()[-300:]
    return re.sub(r"^model\.\w+: ", "", reason).strip()


def trip(athanor, folder, network, form):
    """("ok" | "refused" | "FAILED", reason)"""
    for old in folder.iterdir():
        old.unlink()
    words, sizes = FORMATS[form], SIZES.get((network, form), SIZES.get(network, []))
    run = subprocess.run([athanor, "convert", f"zoo:{network}", "-o", folder / words[0], *words[1:], *sizes, "--json"],
                         capture_output=True, text=True, check=False)
    if run.returncode == 0:
        parity = json.loads(run.stdout)["parity"]
        return ("ok", "") if parity["pass"] else ("FAILED", f"the proof was not made: {parity['not_checked']}")
    reason = problem_of(run.stderr)
    if run.returncode == UNSUPPORTED and re.match("(node|input) ", reason):
        return "refused", reason
    return "FAILED", f"exit {run.returncode}: {reason}"


def judged(outcome, reason, expected):
    if outcome == "ok" and expected is not None:
        return "FAILED", f"is written, but listed as refused with \"{expected}\""
    if outcome == "refused" and (expected is None or expected not in reason):
        return "FAILED", reason
    return outcome, reason


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--up-to", type=float, default=1e9)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--mark", action="store_true")
    parser.add_argument("networks", nargs="*")
    options = parser.parse_args()
    models = json.loads(subprocess.run([options.binary, "zoo", "--json"], capture_output=True, text=True, check=True).stdout)["models"]
    networks = [model["name"] for model in models if (model["name"] in options.networks or not options.networks) and model["gmac"] <= options.up_to]
    formats = options.formats.split(",")
    expected = {} if options.mark else listed()
    refused, reasons, counts = {}, [], {"ok": 0, "refused": 0, "FAILED": 0}
    print("| " + " | ".join(["network", *formats]) + " |\n|" + "---|" * (len(formats) + 1))
    with tempfile.TemporaryDirectory() as place:
        for network in networks:
            row = []
            for form in formats:
                outcome, reason = trip(options.binary, pathlib.Path(place), network, form)
                if outcome == "refused":
                    refused[form, network] = reason
                if not options.mark:
                    outcome, reason = judged(outcome, reason, expected.get((form, network)))
                counts[outcome] += 1
                if reason and reason not in reasons:
                    reasons.append(reason)
                row.append("ok" if outcome == "ok" else f"{outcome} {reasons.index(reason) + 1}")
            print("| " + " | ".join([network, *row]) + " |", flush=True)
    print("\n" + "\n".join(f"{i}. {reason}" for i, reason in enumerate(reasons, 1)))
    if options.mark:
        kept = {key: reason for key, reason in listed().items() if key[0] not in formats or key[1] not in networks}
        # Without the number of a node, which changes with the network's code.
        lines = [f"{form} {network} {re.sub('^node [0-9]+ of [0-9]+ ', '', reason)[:120]}" for (form, network), reason in sorted({**kept, **refused}.items())]
        REFUSED.write_text("# What a format cannot express: FORMAT NETWORK part of the reason. Written by tests/round_trips.py --mark.\n"
                           + "\n".join(lines) + "\n")
    print(f"{counts['ok'] + counts['refused']} passed, {counts['FAILED']} failed, 0 skipped")
    return 1 if counts["FAILED"] else 0


if __name__ == "__main__":
    sys.exit(main())
