#!/usr/bin/env python3
"""Unit suites on each instruction set: the processor's best is lowered by ATHANOR_ISA, as on a machine without it.

Prints a row per suite and set, and a closing line. Sets that this machine lacks are reported as skipped.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SETS = {"avx512": "avx512", "avx2": "avx2", "portable": "base"}  # what it is called here -> ATHANOR_ISA
SUITES = ["kernels", "plan", "runtime", "quant", "ops"]
# What /proc/cpuinfo must list, as core/cpu.cpp asks for it.
NEEDED = {"portable": [], "avx2": ["avx2", "fma", "bmi2", "f16c", "aes", "pclmulqdq"]}
NEEDED["avx512"] = [*NEEDED["avx2"], "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]


def missing(name):
    flags = re.search(r"^flags\s*:(.*)$", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    return [flag for flag in NEEDED[name] if flag not in (flags[1].split() if flags else [])]


def run(program, isa):
    """(passed, names of those that failed, skipped, seconds) of one suite."""
    begin = time.monotonic()
    try:
        done = subprocess.run([program, "--gtest_brief=1"], capture_output=True, text=True, check=False, timeout=900, errors="replace",
                              env={**os.environ, "ATHANOR_ISA": isa})
    except (subprocess.TimeoutExpired, OSError) as error:
        return 0, [f"{program.name}: {error}"], 0, time.monotonic() - begin
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", done.stdout))
    failed = sorted(set(re.findall(r"\[  FAILED  \] ([\w/]+\.[\w/]+)", done.stdout)))
    skipped = sum(int(n) for n in re.findall(r"\[  SKIPPED \] (\d+) test", done.stdout))
    if passed == 0 and not failed:
        failed = [f"{program.name} ran no test"]
    if done.returncode != 0:
        print(done.stdout[-6000:] + done.stderr[-2000:])
        failed = failed or [f"{program.name} ended with {done.returncode}"]
    return passed, failed, skipped, time.monotonic() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; all by default")
    parser.add_argument("--suites", default=",".join(SUITES), help="by name, with commas between; default: %(default)s")
    parser.add_argument("--bin", default=str(ROOT / "build" / "test" / "bin"), type=pathlib.Path)
    options = parser.parse_args()
    unknown = [name for name in options.sets if name not in SETS]
    if unknown:
        parser.error(f"no set of instructions is called {unknown[0]}; there are {', '.join(SETS)}")
    total = failures = skips = 0
    print(f"{'suite':10}{'set':10}{'passed':>8}{'failed':>8}{'skipped':>9}{'s':>7}")
    for name in options.sets or SETS:
        if missing(name):
            print(f"SKIPPED {name}: this processor has no {', '.join(missing(name))}")
            skips += 1
            continue
        for suite in options.suites.split(","):
            passed, failed, skipped, seconds = run(options.bin / f"{suite}_test", SETS[name])
            print(f"{suite:10}{name:10}{passed:8}{len(failed):8}{skipped:9}{seconds:7.0f}", flush=True)
            for test in failed:
                print(f"FAIL {test} on {name}")
            total, failures, skips = total + passed, failures + len(failed), skips + skipped
    print(f"{total} passed, {failures} failed, {skips} skipped")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
