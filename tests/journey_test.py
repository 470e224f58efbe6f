#!/usr/bin/env python3
"""The whole journey of examples/journey/journey.sh, and whether what each step left behind is right.

    python3 tests/journey_test.py [--binary build/test/bin/athanor]

Prints one line per failure and "N passed, N failed, N skipped". tritonclient and the arm tools are skipped where absent.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "examples" / "journey" / "journey.sh"
PAGE = ROOT / "docs" / "journey.md"
TABULAR = ROOT / "examples" / "tabular"
MOST_SECONDS = 60


def difference(got, want):
    return None if got == want else f"{got}, but {want} is expected"


def classes(answer):
    """(class, label, score as f32) of an answer of `athanor run`."""
    return [(c["class"], c["label"], np.float32(c["score"])) for c in answer["classes"]]


def served(path):
    """The same of an answer of the server."""
    outputs = {output["name"]: output["data"] for output in json.loads(path.read_text())["outputs"]}
    return list(zip(outputs["class"], outputs["label"], np.float32(outputs["score"])))


def log_of_ended_server(folder):
    """The script asks the server to end and does not wait for it."""
    until = time.monotonic() + 10
    while time.monotonic() < until and pathlib.Path("/proc", (folder / "serve.pid").read_text().strip()).exists():
        time.sleep(0.05)
    return (folder / "serve.log").read_text()


def steps(folder, transcript, athanor):
    """Yields (what, problem or None, or a reason to skip as a tuple)."""
    def run(*arguments):
        return subprocess.run([athanor, *map(str, arguments)], cwd=folder, capture_output=True, text=True, check=False)

    same = run("compare", ROOT / "examples/digits/digits.onnx", "digits.ath")
    yield "the simplified network is the trained one", None if same.returncode == 0 else same.stdout
    agreement = float(re.search(r"the same class on ([\d.]+) % of 360 pictures", transcript)[1])
    yield "int8 agrees with float", None if agreement >= 99 else f"on {agreement} % of the held-out pictures only"

    answer = json.loads((folder / "answer.json").read_text())
    yield "a 3 is read", None if answer["classes"][0]["label"] == "3" and answer["classes"][0]["score"] > 0.9 else str(answer)
    picture = ROOT / "examples/digits/images/3_0389.png"
    closed = run("run", "digits.athpkg", picture)
    yield "the package is closed without its key", None if "ATH-1001" in closed.stderr else closed.stdout + closed.stderr
    changed = bytearray((folder / "digits.athpkg").read_bytes())
    changed[len(changed) // 2] ^= 1
    (folder / "changed.athpkg").write_bytes(changed)
    for verb in (["run", "changed.athpkg", picture], ["serve", "changed.athpkg", "--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]):
        refused = run(*verb, "--key", "customer.key")
        right = refused.returncode == 2 and "changed.athpkg" in refused.stderr and "fix: " in refused.stderr
        yield f"{verb[0]} refuses a changed package", None if right else f"exit {refused.returncode}: {refused.stderr}"

    yield "curl gets what athanor run says", difference(served(folder / "served.json"), classes(answer))
    lines = re.findall(r"^(http|grpc)  (\S+\.png)  (\S+)  ([\d.]+)$", transcript, re.M)
    if lines:
        want = [(protocol, name, label, score) for protocol in ("http", "grpc") for name, label, score in (
            ("3_0389.png", answer["classes"][0]["label"], f"{np.float32(answer['classes'][0]['score']):.7f}"), ("7_0174.png", "7", None))]
        good = len(lines) == 4 and all(g[:3] == w[:3] and w[3] in (g[3], None) for g, w in zip(lines, want))
        yield "tritonclient gets it too, by HTTP and gRPC", None if good else str(lines)
    else:
        yield "tritonclient", ("tritonclient is absent",)
    log = log_of_ended_server(folder)
    closing = re.search(r"digits: (\d+) answered in \d+ runs, 0 errors, 0 defaults", log)
    asked = 3 if lines else 1
    yield "the server has answered each and ended", None if closing and int(closing[1]) == asked else log

    golden = np.load(TABULAR / "golden.npz")
    rows = np.genfromtxt(folder / "scored.csv", delimiter=",", names=True)
    right = np.array_equal(rows["label"].astype(int), golden["label"]) and np.allclose(
        rows[rows.dtype.names[2]], golden["probabilities"][:, 1], atol=1e-5)
    yield "the table has ONNX Runtime's scores", None if right else str(rows[:3])

    if shutil.which("arm-none-eabi-gcc") and shutil.which("qemu-system-arm"):
        # The self-test compares with what the references gave; codegen_test.py shows that it can fail.
        yield "C on the Cortex-M4 gives the reference's bytes", None if "digits: 0 wrong bytes in 4 runs" in transcript else transcript[-500:]
    else:
        yield "C on a Cortex-M4", ("arm-none-eabi-gcc or qemu-system-arm is absent",)


def page_is_the_script():
    """Every command that the page shows stands in the script, word for word."""
    lines = {line.strip() for line in SCRIPT.read_text().splitlines()}
    commands = re.findall(r"^\$ (.*)$", PAGE.read_text(), re.M)
    return [command for command in commands if command not in lines] if commands else ["the page shows no command"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    options = parser.parse_args()
    binary = pathlib.Path(options.binary).resolve()
    count = {"passed": 0, "failed": 0, "skipped": 0}

    def report(what, problem):
        kind = "passed" if problem is None else "skipped" if isinstance(problem, tuple) else "failed"
        count[kind] += 1
        if kind != "passed":
            print(f"{'SKIPPED' if kind == 'skipped' else 'FAIL'} {what}: {problem[0] if kind == 'skipped' else problem}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        run = subprocess.run([SCRIPT, folder], capture_output=True, text=True, check=False,
                             env={**os.environ, "PATH": f"{binary.parent}:{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"})
        seconds = time.monotonic() - begin
        report("the script", None if run.returncode == 0 else f"exit {run.returncode}: {(run.stdout + run.stderr)[-2000:]}")
        report("its time", None if seconds < MOST_SECONDS else f"{seconds:.0f} s; {MOST_SECONDS} are allowed")
        if run.returncode == 0:
            for what, problem in steps(pathlib.Path(folder), run.stdout + run.stderr, binary):
                report(what, problem)
    missing = page_is_the_script()
    report("docs/journey.md", None if not missing else f"not in the script: {missing}")
    print(f"the journey took {seconds:.1f} s")
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**count))
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
