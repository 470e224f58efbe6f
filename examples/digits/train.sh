#!/bin/sh
# Trains digits.onnx again, or another file: train.sh [OUT.onnx]. About a minute on two cores.
# One instruction set, because the rounding of sums depends on how many there are side by side.
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
exec athanor train "$here/digits.txt" --from-scratch --data "$here/train.npz" --held-out "$here/heldout.npz" --std 255 \
  --shift 2 --epochs 24 --seed 1 --isa avx2 --min 0.98 -o "${1:-$here/digits.onnx}"
