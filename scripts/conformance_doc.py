#!/usr/bin/env python3
"""Writes docs/conformance.md: what the ONNX suites give on both devices, every failure with its reason.

    python3 scripts/conformance_doc.py SUITES_FOLDER [--bin build/test/bin/athanor]
"""
import argparse
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUITES = ["light", "pytorch-converted", "pytorch-operator", "simple", "node"]
LIST = ROOT / "tests" / "conformance_failing.txt"


def run(binary, folder, device):
    call = subprocess.run([binary, "conformance", folder, "--device", device, "--json"], capture_output=True, text=True, check=False)
    return json.loads(call.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites")
    parser.add_argument("--bin", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    options = parser.parse_args()
    listed = [line.split(" ", 2) for line in LIST.read_text().split("\n") if line and not line.startswith("#")]
    exempt = {name for name, kind, _ in listed if kind == "exempt"}
    why = {name: reason for name, _, reason in listed}
    lines = ["# Conformance", "",
             "ONNX backend tests (onnx/onnx, `onnx/backend/test/data`), rtol 1e-3, atol 1e-7, skipped counted as failed.",
             "Made by `python3 scripts/conformance_doc.py`. `./test` fails when a test fails that is not listed in",
             "`tests/conformance_failing.txt`, and when a listed one passes. Exempt are tests of what the project does not claim.", "",
             "| suite | device | passed | failed | failed and not exempt |", "|---|---|---|---|---|"]
    failures = {}
    for suite in SUITES:
        for device in ["reference", "cpu"]:
            result = run(options.bin, f"{options.suites}/{suite}", device)
            real = [f for f in result["failures"] if f["test"] not in exempt]
            lines.append(f"| {suite} | {device} | {result['passed']} | {result['failed'] + result['skipped']} | {len(real)} |")
            for failure in result["failures"]:
                failures.setdefault((suite, failure["test"]), (failure["reason"], []))[1].append(device)
    lines += ["", "## Every failure", "", "| test | devices | exempt | why | what is printed |", "|---|---|---|---|---|"]
    for (suite, test), (reason, devices) in sorted(failures.items()):
        text = reason.split("\n")[0].replace("|", "\\|")
        lines.append(f"| {suite}/{test} | {', '.join(devices)} | {'yes' if test in exempt else 'no'} | {why.get(test, '')} | {text} |")
    (ROOT / "docs" / "conformance.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines[:20]))


if __name__ == "__main__":
    main()
