#!/usr/bin/env python3
"""Files of 500 MB open at once, and their weights stay where they lie.

    python3 tests/large_files_test.py [--binary build/test/bin/athanor] [--megabytes 512]

Makes an ONNX network of dense layers, 64 MiB of weights each, and converts it to the other formats that hold weights in
one file; a second ONNX file has its weights at odd addresses. `athanor inspect` must then read each in less than 1 s of processor time, with less
anonymous memory (RLIMIT_DATA) than a fifth of the file. Prints one line per file and "N passed, N failed, N skipped".
"""
import argparse
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
WIDTH = 4096
MOST_SECONDS, MOST_SHARE = 1.0, 0.2


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def field(number, value):
    """One field of a protocol buffer: a number, or bytes with their length before them."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def tensor_type(rows):
    """ValueInfoProto.type of f32[rows, WIDTH]."""
    shape = field(1, field(1, rows)) + field(1, field(1, WIDTH))
    return field(2, field(1, field(1, 1) + field(2, shape)))


def write_onnx(path, layers, beyond=0):
    """x W1 W2 ... with small weights; each is 64 MiB, is written as it is made, and begins `beyond` a multiple of 16."""
    weights = (b"\x00\x00\x00\x3a" + b"\x00\x00\x00\xba") * (WIDTH * WIDTH // 2)
    head = field(2, "large") + b"".join(
        field(1, field(1, f"x{i}") + field(1, f"w{i}") + field(2, f"x{i + 1}") + field(4, "MatMul")) for i in range(layers))
    ends = field(11, field(1, "x0") + tensor_type(1)) + field(12, field(1, f"x{layers}") + tensor_type(1))

    def front(layer, padding):
        """What stands before the weights of a layer, with so long a text of documentation."""
        start = field(1, WIDTH) + field(1, WIDTH) + field(2, 1) + field(8, f"w{layer}") + field(12, "_" * padding)
        start += varint(9 << 3 | 2) + varint(len(weights))
        return varint(5 << 3 | 2) + varint(len(start) + len(weights)) + start

    # The graph's size takes as many bytes whatever the padding is, so all places are known.
    opening = field(1, 8) + field(8, field(2, 17)) + varint(7 << 3 | 2)
    at, fronts = len(opening) + len(varint(layers * len(weights))) + len(head), []
    for layer in range(layers):
        fronts.append(next(text for n in range(16) if (at + len(text := front(layer, n))) % 16 == beyond))
        at += len(fronts[-1]) + len(weights)
    size = len(head) + sum(map(len, fronts)) + layers * len(weights) + len(ends)
    with open(path, "wb") as file:
        file.write(opening + varint(size) + head)
        for text in fronts:
            file.write(text)
            file.write(weights)
        file.write(ends)


def check(binary, path):
    """What is wrong, and what was measured."""
    size = path.stat().st_size
    most = int(size * MOST_SHARE)
    best = None
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = subprocess.run([binary, "inspect", str(path), "--json"], capture_output=True, text=True,
                             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (most, most)))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if run.returncode != 0:
            return f"exit {run.returncode} with {most >> 20} MiB: {run.stderr.strip()[-300:]}", ""
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        best = seconds if best is None else min(best, seconds)
    measured = f"{size >> 20} MiB read in {best:.2f} s within {most >> 20} MiB"
    return (None if best < MOST_SECONDS else "too slow"), measured


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--megabytes", type=int, default=512)
    options = parser.parse_args()
    passed = failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if shutil.disk_usage(folder).free < 4 * options.megabytes << 20:
            print(f"SKIPPED: {folder} has no room\n0 passed, 0 failed, 1 skipped")
            return 0
        onnx = folder / "large.onnx"
        write_onnx(onnx, options.megabytes // 64)
        odd = folder / "unaligned.onnx"
        write_onnx(odd, options.megabytes // 64, beyond=1)
        for path in (onnx, odd, folder / "large.tflite"):
            if path.suffix == ".tflite":
                subprocess.run([options.binary, "convert", str(onnx), "-o", str(path), "--no-check", "--quiet"], check=True)
            problem, measured = check(options.binary, path)
            passed += problem is None
            failed += problem is not None
            print(f"{'FAIL' if problem else 'ok'} {path.name}: {measured}{' ' + problem if problem else ''}", flush=True)
            if path != onnx:
                path.unlink()
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
