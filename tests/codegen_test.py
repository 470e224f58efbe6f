#!/usr/bin/env python3
"""Generated C gives the bytes of the references: on this machine with gcc, and on an emulated
Cortex-M4 and Cortex-M7 (qemu-system-arm) with arm-none-eabi-gcc. Every network of LIST is generated,
compiled without warnings and run; its self-test compares bytes.

Prints "N passed, N failed, N skipped".
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("ATHANOR_DATA", ROOT.parent / "shared" / "data"))
TINY = DATA / "models" / "mlperf-tiny"
LIST = [TINY / "ic01_resnet8_int8.tflite", TINY / "kws_int8.tflite", TINY / "vww_96_int8.tflite",
        TINY / "ad01_int8.tflite", ROOT / "examples" / "digits" / "digits.onnx"]
BOARD = ROOT / "examples" / "journey" / "board"
BOARDS = {"cortex-m4": "mps2-an386", "cortex-m7": "mps2-an500"}
WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O2"]


def binary():
    given = os.environ.get("ATHANOR_BIN")
    built = [pathlib.Path(given)] if given else [p for p in ROOT.glob("build/*/bin/athanor") if p.exists()]
    return max(built, key=lambda path: path.stat().st_mtime)


def run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=120,
                          **options)


def on_host(folder, name):
    compiled = run("gcc", *WARNINGS, f"{name}.c", f"{name}_test.c", "-o", "self_test", cwd=folder)
    return compiled if compiled.returncode else run(folder / "self_test")


def on_board(folder, name, cpu):
    target = [f"-mcpu={cpu}", "-mthumb"]
    compiled = run("arm-none-eabi-gcc", *target, *WARNINGS, "-ffreestanding", "-c", f"{name}.c", "-o", "network.o", cwd=folder)
    if compiled.returncode:
        return compiled
    # The network itself needs nothing but memcpy and memset, which compilers may call.
    needs = {line.split()[-1] for line in run("arm-none-eabi-nm", "-u", "network.o", cwd=folder).stdout.splitlines()}
    foreign = {symbol for symbol in needs if symbol not in {"memcpy", "memset"} and not symbol.startswith("__aeabi")}
    if foreign:
        return subprocess.CompletedProcess([], 1, "", f"needs {foreign}")
    compiled = run("arm-none-eabi-gcc", *target, "-O2", "--specs=rdimon.specs", "-nostartfiles", "-T", BOARD / "mps2.ld",
                   BOARD / "start.c", "network.o", f"{name}_test.c", "-o", "self_test.elf", cwd=folder)
    if compiled.returncode:
        return compiled
    size = run("arm-none-eabi-size", "network.o", cwd=folder).stdout.splitlines()[-1].split()
    print(f"  {name} on {cpu}: code and constants {size[0]} bytes, data {size[1]}, activations {size[2]}")
    return run("qemu-system-arm", "-machine", BOARDS[cpu], "-nographic", "-semihosting-config", "enable=on,target=native",
               "-kernel", folder / "self_test.elf", stdin=subprocess.DEVNULL)


def int8(model, folder):
    """The digits network of the examples is float: our own quantiser makes it int8 first."""
    if model.suffix != ".onnx":
        return model
    out = folder / "int8.ath"
    run(binary(), "quantize", model, "--calib", model.parent / "calib.npz", "--std", 255, "--arithmetic", "fixed31",
        "-o", out)
    return out


def check(model, folder):
    """Problems, by where it ran."""
    made = run(binary(), "codegen", model, "--name", "network", "-o", folder, "--self-tests", 2)
    if made.returncode:
        return {f"generation for {where}": made.stderr for where in ["host", *BOARDS]}
    runs = {"host": on_host(folder, "network")}
    for cpu in BOARDS:
        runs[cpu] = on_board(folder, "network", cpu)
    return {where: result.stdout + result.stderr for where, result in runs.items() if result.returncode}


def main():
    passed = failed = skipped = 0
    models = [pathlib.Path(name) for name in sys.argv[1:]] or LIST
    tools = ["gcc", "arm-none-eabi-gcc", "qemu-system-arm"]
    missing = [tool for tool in tools if shutil.which(tool) is None]
    for model in models:
        if missing or not model.exists():
            print(f"SKIPPED codegen {model.name}: {', '.join(missing) or 'the file'} is absent")
            skipped += 1
            continue
        with tempfile.TemporaryDirectory() as folder:
            problems = check(int8(model, pathlib.Path(folder)), pathlib.Path(folder))
        for where, text in problems.items():
            print(f"FAIL codegen {model.name} ({where}): {text.strip()[-2000:]}")
        failed += len(problems)
        passed += 3 - len(problems)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
