#!/usr/bin/env python3
"""`athanor quantize` says of every product what it takes in float and on integers, and returns what does not pay to float with --measured.

No test asks for a time: what is decided from times is tested by itself (src/quant/pays_test.cpp).
"""
import hashlib
import json
import os
import pathlib
import subprocess
import unittest

import numpy as np

from quant_test import Case
from running import binary

DIGITS = pathlib.Path(__file__).resolve().parent.parent / "examples" / "digits"


class Pays(Case):
    def digits(self, out, *more, isa=None, code=0):
        """What quantising the digits says of its products, and what it prints."""
        env = {**os.environ, **({"ATHANOR_ISA": isa} if isa else {})}
        run = subprocess.run([binary(), "quantize", DIGITS / "digits.onnx", "--calib", DIGITS / "calib.npz", "--std", "255", "-o", out,
                              "--samples", "32", "--json", *more], capture_output=True, text=True, check=False, cwd=self.folder, env=env)
        self.assertEqual(run.returncode, code, run.stderr)
        return json.loads(run.stdout), run.stderr

    def check(self, times):
        self.assertEqual(len(times["products"]), 7)
        for name in ("float_ms", "int8_ms"):
            self.assertAlmostEqual(sum(row[name] for row in times["products"]), times[name], delta=0.1 * times[name])
        for row in times["products"]:
            self.assertGreater(row["float_ms"], 0)
            self.assertGreater(row["int8_ms"], 0)
            self.assertLessEqual(row["conversions_ms"], row["int8_ms"])
            self.assertFalse(row["pays"] and not row["on_integers"])

    def test_both_times_are_estimated_by_default_and_change_nothing(self):
        files, estimates = set(), []
        for threads in ("1", "1", "2"):
            result, _ = self.digits("d.ath", "--threads", threads, isa="avx2")
            files.add(hashlib.sha256((self.folder / "d.ath").read_bytes()).hexdigest())
            times = result["times"]
            self.assertFalse(times["measured"])
            self.assertFalse(any(row["returned"] for row in times["products"]))
            self.check(times)
            estimates.append(times)
        self.assertEqual(len(files), 1)
        self.assertEqual(estimates[0], estimates[1])

    def test_a_report_has_both_times(self):
        result, _ = self.digits("d.ath", "--report", "r")
        self.assertEqual(json.loads((self.folder / "r" / "report.json").read_text())["times"], result["times"])
        page = (self.folder / "r" / "report.html").read_text()
        self.assertIn("What integers save", page)
        for row in result["times"]["products"]:
            self.assertIn(row["node"], page)

    def test_what_is_measured_not_to_pay_returns_with_small_weights(self):
        _, _ = self.digits("plain.ath", isa="avx2")
        for more in ([], ["--max-drop", "1%"]):
            result, said = self.digits("d.ath", "--measured", "--threads", "1", *more, isa="avx2")
            times = result["times"]
            self.assertTrue(times["measured"])
            self.check(times)
            returned = {row["node"] for row in times["products"] if row["returned"]}
            self.assertLessEqual(returned, {row["node"] for row in result["float_products"]})
            self.assertEqual("returned to float, where integers do not pay" in said, bool(returned))
            self.assertEqual("change" in times, bool(returned))
            if returned:
                # Where fewer are on integers a run was faster, and the file is no larger.
                self.assertLess(times["change"]["after_ms"], times["change"]["before_ms"])
                self.assertLess((self.folder / "d.ath").stat().st_size, 1.1 * (self.folder / "plain.ath").stat().st_size)
            subprocess.run([binary(), "run", self.folder / "d.ath", "random"], check=True, capture_output=True)

    def test_a_network_that_is_slower_says_so(self):
        """What is printed is what was measured: slower than float is never handed out in silence."""
        (self.folder / "m.txt").write_text("""graph main(x: f32[1, 4, 2, 2]) -> (y: f32[1, 4, 2, 2]) {
  const %a: f32[4, 4, 1, 1] = random(1)
  const %b: f32[4, 4, 1, 1] = random(2)
  const %c: f32[4, 4, 1, 1] = random(3)
  %p = Conv(%x, %a) @first
  %q = Conv(%p, %b) @second
  %y = Conv(%q, %c) @third
}
""")
        np.savez(self.folder / "x.npz", x=self.random.normal(size=(20, 4, 2, 2)).astype(np.float32))
        for more in ([], ["--measured"]):
            run = self.run_verb("m.txt", "--calib", "x.npz", "-o", "o.ath", "--json", "--quiet", *more)
            result = json.loads(run.stdout)
            slower = result["quantized_nodes"] > 0 and result["int8"]["median_ms"] > result["float"]["median_ms"] / 0.995
            self.assertEqual("slower than in float on this processor" in run.stderr, slower)

    def test_products_without_names_are_told_apart(self):
        """Exporters leave names away; all such products were one."""
        (self.folder / "m.txt").write_text("""graph main(x: f32[1, 8, 8, 8]) -> (y: f32[1, 8, 8, 8]) {
  const %a: f32[8, 8, 3, 3] = random(1)
  const %b: f32[32, 8, 1, 1] = random(2)
  const %c: f32[8, 32, 1, 1] = random(3)
  %p = Conv(%x, %a) {pads = [1, 1, 1, 1]}
  %q = Conv(%p, %b)
  %y = Conv(%q, %c)
}
""")
        np.savez(self.folder / "x.npz", x=self.random.normal(size=(20, 8, 8, 8)).astype(np.float32))
        run = self.run_verb("m.txt", "--calib", "x.npz", "-o", "o.ath", "--json", "--quiet")
        times = json.loads(run.stdout)["times"]
        self.assertEqual(len({row["node"] for row in times["products"]}), 3)
        self.assertEqual(len({row["float_ms"] for row in times["products"]}), 3)

    def test_what_does_not_go_together(self):
        for text, more in [("--measured does not go with --activations float", ["--measured", "--activations", "float"]),
                           ("--measured does not go with --target-ratio", ["--measured", "--target-ratio", "4"]),
                           ("--measured does not go with --arithmetic fixed31", ["--measured", "--arithmetic", "fixed31"])]:
            run = self.run_verb(str(DIGITS / "digits.onnx"), "--calib", str(DIGITS / "calib.npz"), "-o", "o.ath", *more, code=1)
            self.assertIn(text, run.stderr)
        self.assertFalse((self.folder / "o.ath").exists())


if __name__ == "__main__":
    unittest.main()
