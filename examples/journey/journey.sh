#!/usr/bin/env bash
# A trained file on its way to every kind of product. docs/journey.md tells the same commands with what they print.
#
#   examples/journey/journey.sh [FOLDER]     # results go there; athanor-journey by default
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
PATH="$PATH:$root/build/release/bin" # the program that ./quickstart built, where none is installed
mkdir -p "${1:-athanor-journey}"
cd "${1:-athanor-journey}"
ln -sfn "$root/examples" examples
rm -f vendor.* customer.*

step() { printf '\n== %s\n' "$*"; }

step "1. the trained file, checked and simplified"
athanor optimize examples/digits/digits.onnx -o digits.ath

step "2. 8 bits instead of 32, at most 1 % less accurate"
athanor quantize digits.ath --calib examples/digits/calib.npz --std 255 --data examples/digits/heldout.npz --max-drop 1% --arithmetic fixed31 --quiet -o digits.int8.ath

step "3. one file with all that comes before and after the network, signed and encrypted"
athanor keys vendor > /dev/null
athanor keys customer --kind recipient > /dev/null
sed 's/digits.onnx/digits.int8.ath/' examples/digits/pipeline.yaml > pipeline.yaml; cp examples/digits/labels.txt .
athanor pack pipeline.yaml -o digits.athpkg --sign vendor.key --encrypt customer.pub | grep -v signed
athanor run digits.athpkg examples/digits/images/3_0389.png --key customer.key --trust vendor.pub --save answer.json

step "4. behind a port"
timeout 120 athanor serve digits.athpkg --key customer.key --trust vendor.pub --deadline-ms 5000 --default '{"class": -1, "label": "?", "score": 0}' --http-port 8640 --grpc-port 8641 --metrics-port 8642 > serve.log 2>&1 & echo $! > serve.pid
trap 'kill "$(cat serve.pid)" 2>/dev/null || true' EXIT
timeout 60 sh -c 'until curl -sf http://127.0.0.1:8640/v2/health/ready; do sleep 0.1; done'
cat serve.log

step "5. asked by curl and by Triton's client"
curl -s http://127.0.0.1:8640/v2/models/digits/infer -H 'Inference-Header-Content-Length: 0' -H 'Accept: application/json' --data-binary @examples/digits/images/3_0389.png | tee served.json
echo
if python3 -c 'import tritonclient.http, tritonclient.grpc' 2>/dev/null; then
  python3 examples/journey/ask.py digits 8640 8641 examples/digits/images/3_0389.png examples/digits/images/7_0174.png
else
  echo "skipped; it needs: pip install 'tritonclient[http,grpc]'"
fi
kill "$(cat serve.pid)"

step "6. a table scored at night"
athanor score examples/tabular/fraud.json examples/tabular/rows.csv -o scored.csv

step "7. the same 8-bit network as C, on an emulated microcontroller"
athanor codegen digits.int8.ath --name digits -o firmware --fit ram=32K,flash=64K
if command -v arm-none-eabi-gcc && command -v qemu-system-arm; then
  arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -O2 --specs=rdimon.specs -nostartfiles -T examples/journey/board/mps2.ld examples/journey/board/start.c firmware/digits.c firmware/digits_test.c -o firmware/digits.elf
  qemu-system-arm -machine mps2-an386 -nographic -semihosting-config enable=on,target=native -kernel firmware/digits.elf < /dev/null
else
  echo "skipped; it needs: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm"
fi
