#!/usr/bin/env bash
# ./dev oracles: records the outputs of other engines again (tests/oracles), in a Python environment of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
venv="${ATHANOR_VENV:-build/oracles-venv}"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install -q -r tests/oracles/requirements.txt
"$venv/bin/python" tests/oracles/record_onnx.py
"$venv/bin/python" tests/oracles/record_goldens.py
"$venv/bin/python" tests/oracles/record_tflite.py
