#!/usr/bin/env python3
"""Checks exported files with the checker of PyPI's onnx: onnx_check.py FILE.onnx...

Prints one line per file; ends with status 1 when the checker refuses one.
"""
import sys

import onnx


def main(paths):
    refused = 0
    for path in paths:
        try:
            onnx.checker.check_model(path, full_check=True)
            print(f"ok      {path}")
        except Exception as error:  # the checker raises several kinds
            refused += 1
            print(f"refused {path}: {str(error).strip().splitlines()[0]}")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
