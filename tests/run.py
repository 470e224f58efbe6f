#!/usr/bin/env python3
"""Runs every test of the project and prints one closing line: N passed, N failed, N skipped.

Unit tests come from ctest; the ONNX suites and the real models from the data set ($ATHANOR_DATA or
../shared/data). A part whose data are absent is counted as skipped, never as passed.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "test"
ATHANOR = BUILD / "bin" / "athanor"
DATA = pathlib.Path(os.environ.get("ATHANOR_DATA", ROOT.parent / "shared" / "data"))
SUITES = ["light", "pytorch-converted", "pytorch-operator", "simple", "node"]
DEVICES = ["reference", "cpu"]
FORMATS = ["txt", "ath", "onnx:28"]
VENV = ROOT / "build" / "venv"


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped


def unit_tests(count):
    """Every test of ctest's list, so that none is forgotten: gtest programs, and comparisons that count as one."""
    listing = subprocess.run(["ctest", "--test-dir", BUILD, "--show-only=json-v1"],
                             capture_output=True, text=True, check=True)
    for test in json.loads(listing.stdout)["tests"]:
        try:
            run = subprocess.run(test["command"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
        except subprocess.TimeoutExpired:
            print(f"{test['name']}: did not end within 600 s")
            count.add(failed=1)
            continue
        passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", run.stdout))
        failed = len(set(re.findall(r"\[  FAILED  \] (\S+\.\S+)", run.stdout)))
        skipped = len(set(re.findall(r"\[  SKIPPED \] (\S+\.\S+)", run.stdout)))
        if run.returncode != 0 and failed == 0:
            failed = 1
        if run.returncode == 0 and "[==========]" not in run.stdout:
            passed = 1
        print(f"{test['name']}: {passed} passed, {failed} failed, {skipped} skipped", flush=True)
        if run.returncode != 0:
            print(run.stdout[-8000:], run.stderr[-4000:])
        count.add(passed, failed, skipped)


def run_suite(folder, device, *more):
    run = subprocess.run([ATHANOR, "conformance", folder, "--device", device, "--json", *more],
                         capture_output=True, text=True, check=False)
    return json.loads(run.stdout)


def expected_failures():
    """NAME -> kind, of tests/conformance_failing.txt."""
    lines = (ROOT / "tests" / "conformance_failing.txt").read_text().split("\n")
    return {line.split()[0]: line.split()[1] for line in lines if line and not line.startswith("#")}


def conformance(count):
    """Every test passes but those listed; a known failure that passes must leave the list."""
    archive = DATA / "onnx-backend-tests.tar.zst"
    if not archive.exists():
        print(f"SKIPPED onnx suites: {archive} is absent")
        return count.add(skipped=1)
    expected = expected_failures()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(f"zstd -dc '{archive}' | tar -x -C '{folder}'", shell=True, check=True)
        for suite in SUITES:
            tests = {test.parent.name for test in pathlib.Path(folder, "data", suite).glob("*/model.onnx")}
            for device in DEVICES:
                result = run_suite(f"{folder}/data/{suite}", device)
                failed = {failure["test"]: failure["reason"] for failure in result["failures"]}
                # Random outputs may agree by chance; what is known to be wrong must leave the list once right.
                known = {test for test, kind in expected.items() if kind == "known"}
                wrong = sorted(set(failed) - set(expected)) + sorted((known & tests) - set(failed))
                print(f"{suite} on {device}: {result['passed']} passed, {result['failed']} failed", flush=True)
                for test in wrong:
                    print(f"FAIL {suite}/{test} on {device}: {failed.get(test, 'passes, but is listed in tests/conformance_failing.txt')}")
                # What is listed did not pass: it is counted, as skipped. Every test must be in the totals.
                lost = len(tests) - result["passed"] - len(failed) - result["skipped"]
                count.add(result["passed"], len(wrong) + abs(lost), len(failed) - len(set(failed) - set(expected)) + result["skipped"])
        for suite in ["simple", "node"]:
            through_formats(count, f"{folder}/data/{suite}", suite)
    return None


def through_formats(count, folder, suite):
    """What passes must pass again after it was written in each format and read back."""
    def failing(*more):
        result = run_suite(folder, "reference", *more)
        return {failure["test"] for failure in result["failures"]}, result["passed"]

    # Random outputs differ from run to run.
    random = {test for test, kind in expected_failures().items() if kind == "exempt"}
    expected = failing()[0] | random
    for form in FORMATS:
        failed, passed = failing("--through", form)
        print(f"{suite} through {form}: {passed} passed, {len(failed - expected)} fail that pass directly", flush=True)
        for test in sorted(failed - expected):
            print(f"FAIL {suite}/{test} through {form}")
        count.add(passed, len(failed - expected))


def recorded(count):
    """Single operators with recorded answers of a peer: all must pass."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-x", "-C", folder, "-f", ROOT / "tests/oracles/contrib.tar.gz"], check=True)
        for device in DEVICES:
            result = run_suite(f"{folder}/contrib", device)
            print(f"contrib on {device}: {result['passed']} passed, {result['failed']} failed", flush=True)
            count.add(result["passed"], result["failed"])


def script(count, name, *arguments, python=sys.executable):
    """A test program in Python: unittest, or one that ends with 'N passed, N failed, N skipped'."""
    run = subprocess.run([python, ROOT / "tests" / name, *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
                         env={**os.environ, "PATH": f"{BUILD / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(BUILD / "python")})
    text = run.stdout + run.stderr
    closing = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped", text, re.M)
    unittest = re.search(r"^Ran (\d+) tests?", text, re.M)
    if closing:
        passed, failed, skipped = map(int, closing[-1])
    elif unittest:
        bad = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", text))
        skipped = sum(int(n) for n in re.findall(r"skipped=(\d+)", text))
        passed, failed = int(unittest[1]) - bad - skipped, bad
    else:
        passed, failed, skipped = 0, 1, 0
    if run.returncode != 0:
        failed = max(failed, 1)
        print(text[-6000:])
    print(f"{name} {' '.join(arguments)}: {passed} passed, {failed} failed, {skipped} skipped", flush=True)
    count.add(passed, failed, skipped)


def python_package(count):
    """The module that ./test built into build/test/python, in an environment that has NumPy."""
    if not list((BUILD / "python" / "athanor").glob("_athanor*.so")):
        print("SKIPPED python_test.py: the module was not built (nanobind could not be installed)")
        return count.add(skipped=1)
    script(count, "python_plugins_test.py", python=str(VENV / "bin" / "python"))
    return script(count, "python_test.py", python=str(VENV / "bin" / "python"))


def from_pypi(modules, *packages):
    """Packages that some tests want, where PyPI can be reached. What needs them is skipped without them."""
    python = VENV / "bin" / "python"
    present = subprocess.run([python, "-c", f"import {modules}"], capture_output=True, check=False)
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages]
    if present.returncode != 0 and subprocess.run(install, check=False).returncode != 0:
        print(f"{', '.join(packages)} could not be installed: its tests are skipped")


def workbench(count):
    """The workbench, in a browser where npm and chromium are to be had."""
    web = ROOT / "web"
    if shutil.which("npm") and not (web / "node_modules").exists():
        install = subprocess.run(["npm", "ci", "--prefix", web, "--no-progress"], capture_output=True, text=True, check=False)
        if install.returncode != 0:
            shutil.rmtree(web / "node_modules", ignore_errors=True)
            print(f"web/node_modules could not be installed: the workbench is not tested in a browser\n{install.stderr[-500:]}")
    return script(count, "workbench_test.py")


def main():
    begin = time.time()
    count = Count()
    unit_tests(count)
    # Tests of kernels go through all sets by themselves.
    script(count, "isa_test.py", "avx2", "portable", "--suites", "plan,runtime,quant")
    recorded(count)
    conformance(count)
    script(count, "models_test.py", "--binary", str(ATHANOR), "--device", "cpu", "--opsets", "13,17,21")
    script(count, "models_test.py", "--binary", str(ATHANOR), "--device", "reference")
    for device in DEVICES:
        script(count, "tflite_test.py", "--binary", str(ATHANOR), "--device", device)
        script(count, "tensorflow_test.py", "--binary", str(ATHANOR), "--device", device)
        script(count, "pytorch_test.py", "--binary", str(ATHANOR), "--device", device)
        script(count, "paddle_test.py", "--binary", str(ATHANOR), "--device", device)
    script(count, "tabular_test.py", "--binary", str(ATHANOR))
    script(count, "table_codegen_test.py", "--binary", str(ATHANOR))
    script(count, "catboost_test.py", "--binary", str(ATHANOR))
    script(count, "caffe_test.py", "--binary", str(ATHANOR))
    script(count, "score_kill_test.py", "--binary", str(ATHANOR))
    script(count, "score_input_test.py", "--binary", str(ATHANOR))
    script(count, "codegen_test.py")
    script(count, "gradients_test.py", "--binary", str(ATHANOR))
    script(count, "quant_test.py")
    script(count, "quant_rounding_test.py")
    script(count, "quant_channels_test.py")
    script(count, "quant_dynamic_test.py")
    script(count, "quant_fit_test.py")
    script(count, "quant_ways_test.py")
    script(count, "quant_written_test.py")
    script(count, "quant_options_test.py")
    script(count, "quant_pays_test.py")
    script(count, "formats_test.py", "--binary", str(ATHANOR))
    script(count, "quant_zoo_test.py")
    script(count, "ncnn_test.py", "--binary", str(ATHANOR))
    script(count, "mindir_test.py", "--binary", str(ATHANOR))
    script(count, "mnn_test.py", "--binary", str(ATHANOR))
    script(count, "coreml_test.py", "--binary", str(ATHANOR))
    script(count, "mxnet_test.py", "--binary", str(ATHANOR))
    script(count, "openvino_test.py", "--binary", str(ATHANOR))
    script(count, "pickled_test.py", "--binary", str(ATHANOR))
    script(count, "peers_test.py")
    script(count, "zoo_sweep.py", "--binary", str(ATHANOR), "--up-to", "0.06")
    script(count, "package_test.py", "--binary", str(ATHANOR))
    script(count, "demo_test.py", "--binary", str(ATHANOR))
    script(count, "cli_test.py")
    script(count, "plugins_test.py")
    script(count, "cli_results_test.py")
    script(count, "overwrite_test.py")
    script(count, "measure_test.py")
    from_pypi("tritonclient.http, tritonclient.grpc", "tritonclient[http,grpc]")
    from_pypi("onnxruntime", "onnxruntime")
    from_pypi("ai_edge_litert.interpreter", "ai-edge-litert")
    from_pypi("jpmml_evaluator", "jpmml-evaluator")
    from_pypi("pyarrow", "pyarrow>=16,<19")  # with the NumPy of Debian 12
    python = str(VENV / "bin" / "python")
    script(count, "debug_test.py", python=python)
    script(count, "quant_onnxruntime_test.py", python=python)
    script(count, "tflite_write_test.py", "--binary", str(ATHANOR), python=python)
    script(count, "large_files_test.py", "--binary", str(ATHANOR))
    script(count, "pmml_export_test.py", "--binary", str(ATHANOR), python=python)
    script(count, "arrow_test.py", "--binary", str(ATHANOR), python=python)
    script(count, "docs_test.py")
    python_package(count)
    script(count, "serve_test.py", python=python)
    script(count, "journey_test.py", "--binary", str(ATHANOR), python=python)
    workbench(count)
    print(f"tests took {time.time() - begin:.0f} s")
    print(f"{count.passed} passed, {count.failed} failed, {count.skipped} skipped")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
