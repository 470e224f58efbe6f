#!/usr/bin/env python3
"""`athanor quantize`: options that would be left without effect, what it says on the way, and what a user may hand it by mistake."""
import json
import subprocess
import unittest

import numpy as np

from quant_test import Case, write
from quant_ways_test import product
from running import binary


class Unused(Case):
    """An option that does nothing beside another is an error that names both."""

    def setUp(self):
        super().setUp()
        (self.folder / "m.txt").write_text(product(self.random.normal(size=(64, 24)).astype(np.float32)))
        rows = self.random.normal(size=(40, 64)).astype(np.float32)
        np.savez(self.folder / "c.npz", x=rows[:20])
        np.savez(self.folder / "d.npz", x=rows[20:])
        np.savez(self.folder / "l.npz", x=rows[20:], labels=np.arange(20))
        np.savez(self.folder / "bytes.npz", x=self.random.integers(0, 255, (20, 64), np.uint8))
        np.savetxt(self.folder / "c.csv", rows, delimiter=",", header=",".join(f"c{i}" for i in range(64)), comments="")

    def refused(self, words, *more, calib="c.npz"):
        calib = [] if calib is None else ["--calib", calib]
        self.assertIn(words, self.run_verb("m.txt", *calib, "-o", "o.ath", *more, code=1).stderr)
        self.assertFalse((self.folder / "o.ath").exists())

    def test_beside_what_decides_how_a_file_is_made(self):
        unused = {("--method", "mse"): "hsfd", ("--tail", "0.01"): "hsfd", ("--ranges", "symmetric"): "hsfd", ("--weight-ranges", "asymmetric"): "hsf", ("--per-tensor",): "hsf",
                  ("--arithmetic", "fixed31"): "hsfa", ("--group", "64"): "hsa", ("--weight-bits", "8"): "sa", ("--activations", "8"): "hsa",
                  ("--table", "t"): "hsfa", ("--save-table", "t.table"): "hsfa", ("--float-share", "0"): "hsfa", ("--max-drop", "1%"): "hsf",
                  ("--measured",): "hsf", ("--tune", "2"): "hfa", ("--samples", "9"): "h", ("--target-ratio", "4"): "ha"}
        ways = {"h": ["--weight-bits", "f16"], "s": ["--target-ratio", "4"], "f": ["--activations", "float"], "d": ["--activations", "dynamic"], "a": ["--auto"]}
        for option, letters in unused.items():
            for letter in letters:
                self.refused(f"{option[0]} does not go with {' '.join(ways[letter]) if letter in 'hfd' else ways[letter][0]}, w",
                             *ways[letter], *option)

    def test_beside_other_options(self):
        for option, other, more in [("--tail", "--method entropy", ["--tail", "0.01", "--method", "entropy"]),
                                    ("--agree", "--labels", ["--agree", "class", "--labels", "l.csv", "--data", "d"]),
                                    ("--agree class", "--data l.npz", ["--agree", "class", "--data", "l.npz"]),
                                    ("--label-offset", "--data d.npz", ["--label-offset", "1", "--data", "d.npz"]),
                                    ("--output", "--agree values", ["--output", "m", "--data", "d.npz"])]:
            self.refused(f"{option} does not go with {other}", *more)

    def test_without_what_they_say_more_about(self):
        for option, other, more in [("--group", "--activations float", ["64"]), ("--tune", "--target-ratio", ["2"]),
                                    ("--limit", "--data", ["3"]), ("--allow-overlap", "--data", []),
                                    ("--label-offset", "--data", ["1"]), ("--agree", "--data or --max-drop", ["class"]),
                                    ("--output", "--data or --max-drop", ["m"])]:
            self.refused(f"{option} needs {other}: ", option, *more)
        self.refused("--std needs --calib or --data", "--std", "2", "--weight-bits", "f16", calib=None)

    def test_what_is_said_of_pictures_where_there_are_none(self):
        for option in ("--mean", "--std", "--scale"):
            self.refused(f"{option} does not go with --calib c.csv, which holds no pictures", option, "2", calib="c.csv")
            self.refused(f"{option} does not go with --calib c.npz: only arrays of bytes", option, "2")
        for option in (["--bgr"], ["--resize", "8"], ["--crop", "8"], ["--layout", "nchw"]):
            self.refused(f"{option[0]} does not go with --calib c.npz, whose rows go in as they lie", *option)
        self.run_verb("m.txt", "--calib", "bytes.npz", "--std", "255", "-o", "o.ath", "--quiet")

    def test_arrays_are_named_among_samples(self):
        for text in (self.run_verb("--help").stdout, self.run_verb("m.txt", "-o", "o.ath", code=1).stderr):
            self.assertIn(".npy", text)

    def test_defaults_that_are_not_given_are_none(self):
        self.run_verb("m.txt", "--weight-bits", "f16", "-o", "o.ath", "--quiet")
        self.run_verb("m.txt", "--calib", "c.npz", "--tail", "0.01", "-o", "o.ath", "--quiet")


class Named(Case):
    def test_products_that_a_small_file_leaves_in_float_are_named_with_the_reason(self):
        w, v = self.random.normal(size=(64, 32)).astype(np.float32), self.random.normal(size=(2, 32, 8)).astype(np.float32)
        model = (f"graph main(x: f32[1, 64]) -> (z: f32[2, 1, 8]) {{\n  const %w: {write(w)}\n  const %v: {write(v)}\n"
                 "  %y = MatMul(%x, %w) @first\n  %z = MatMul(%y, %v) @second\n}\n")
        (self.folder / "m.txt").write_text(model)
        np.savez(self.folder / "c.npz", x=self.random.normal(size=(32, 64)).astype(np.float32))
        run = self.run_verb("m.txt", "--calib", "c.npz", "-o", "o.ath", "--target-ratio", "2", "--report", "r.json")
        report = json.loads((self.folder / "r.json").read_text())
        self.assertEqual(report["float_products"], [{"node": "second", "op": "MatMul", "reason": "its weights are no matrix"}])
        self.assertIn('float: "second" (MatMul): its weights are no matrix', run.stdout)


class Halved(Case):
    def halved(self, text, inputs, floats):
        """The file takes half of its floats, and answers hardly differ."""
        (self.folder / "m.txt").write_text(text)
        np.savez(self.folder / "in.npz", **inputs)
        for kind in ("f16", "bf16"):
            self.run_verb("m.txt", "--weight-bits", kind, "-o", "o.ath", "--quiet")
            answers = []
            for model in ("m.txt", "o.ath"):
                subprocess.run([binary(), "run", model, "in.npz", "--save", "y.npz", "--quiet"], check=True, cwd=self.folder, capture_output=True)
                answers.append(next(iter(np.load(self.folder / "y.npz").values())))
            self.near(answers[1], answers[0], 2e-3 if kind == "f16" else 2e-2)
            self.assertLess((self.folder / "o.ath").stat().st_size, 2 * floats + 2000)

    def test_embeddings_alone(self):
        table = self.random.normal(size=(500, 16))
        self.halved(f"graph main(x: i64[4]) -> (y: f32[4, 16]) {{\n  const %t: {write(table)}\n  %y = Gather(%t, %x)\n}}\n",
                    {"x": np.array([3, 499, 0, 7])}, table.size)

    def test_recurrent_nodes_alone(self):
        w, r, b = (self.random.normal(size=size) / 4 for size in ((1, 128, 24), (1, 128, 32), (1, 256)))
        constants = "".join(f"  const %{n}: {write(a)}\n" for n, a in zip("wrb", (w, r, b)))
        self.halved(f"graph main(x: f32[5, 1, 24]) -> (y: f32[5, 1, 1, 32]) {{\n{constants}  %y, _, _ = LSTM(%x, %w, %r, %b) {{hidden_size = 32}}\n}}\n",
                    {"x": self.random.normal(size=(5, 1, 24)).astype(np.float32)}, w.size + r.size + b.size)

    def test_products_with_constants_of_three_axes(self):
        w = self.random.normal(size=(2, 32, 48))
        self.halved(f"graph main(x: f32[2, 3, 32]) -> (y: f32[2, 3, 48]) {{\n  const %w: {write(w)}\n  %y = MatMul(%x, %w)\n}}\n",
                    {"x": self.random.normal(size=(2, 3, 32)).astype(np.float32)}, w.size)

    def test_nothing_to_halve_has_a_reason(self):
        (self.folder / "m.txt").write_text("graph main(x: f32[1, 4]) -> (y: f32[1, 4]) {\n  %y = Relu(%x)\n}\n")
        self.assertIn("no constant of 64 f32 or more", self.run_verb("m.txt", "--weight-bits", "f16", "-o", "o.ath", code=2).stderr)
        self.assertIn("--weight-bits f16", self.run_verb("m.txt", "--calib", ".", "-o", "o.ath", code=2).stderr)


class Mistakes(Case):
    """What is wrong, and where."""

    def setUp(self):
        super().setUp()
        self.w = self.random.normal(size=(16, 8)).astype(np.float32)
        self.x = self.random.normal(size=(64, 16)).astype(np.float32)
        (self.folder / "m.txt").write_text(product(self.w))
        np.savez(self.folder / "c.npz", x=self.x)

    def refused(self, words, *more, code=1):
        run = self.run_verb(*more, "-o", "o.ath", code=code)
        self.assertIn(words, run.stderr)
        self.assertEqual(list(self.folder.glob("o.ath*")), [])

    def test_weights_that_are_no_numbers(self):
        for bad in (np.nan, np.inf):
            self.w[3, 4] = bad
            (self.folder / "bad.txt").write_text(product(self.w))
            for more in (["--calib", "c.npz"], ["--calib", "c.npz", "--target-ratio", "2"], ["--weight-bits", "f16"]):
                self.refused(f'weight 28 of "w" is {bad}, which is no finite number', "bad.txt", *more, code=2)

    def test_samples_that_are_no_numbers(self):
        self.x[5, 7] = np.nan
        np.savez(self.folder / "bad.npz", x=self.x)
        self.refused('bad.npz: row 6: input "x" holds nan', "m.txt", "--calib", "bad.npz")
        self.refused('bad.npz: row 6: input "x" holds nan', "m.txt", "--calib", "c.npz", "--data", "bad.npz", "--allow-overlap")
        (self.folder / "rows").mkdir()
        for i, row in enumerate(self.x[:8]):
            np.save(self.folder / "rows" / f"r{i}.npy", row[None])
        self.refused('r5.npy', "m.txt", "--calib", "rows")

    def test_labels_that_name_no_class(self):
        for labels, words in ((np.full(64, 0.5), "labels, row 1: 0.5 is no number of a class"),
                              (np.array(["a"] * 64), "numbers of classes are expected, not string")):
            np.savez(self.folder / "l.npz", x=self.x + 1, labels=labels)
            self.refused(f"l.npz: {'labels' if 'row' in words else ''}", "m.txt", "--calib", "c.npz", "--data", "l.npz")
            self.refused(words, "m.txt", "--calib", "c.npz", "--data", "l.npz")
        self.refused("--labels does not go with --data l.npz, which holds its labels itself", "m.txt", "--calib", "c.npz", "--data", "l.npz",
                     "--labels", "l.csv")

    def test_nothing_to_calibrate_on(self):
        (self.folder / "empty.csv").write_text("")
        self.refused("empty.csv: there are no samples", "m.txt", "--calib", "empty.csv")
        (self.folder / "none").mkdir()
        self.refused("no pictures and no .npy files", "m.txt", "--calib", "none")

    def test_a_small_file_is_quantised_already(self):
        (self.folder / "m.txt").write_text(product(self.random.normal(size=(256, 64)).astype(np.float32)))
        np.savez(self.folder / "c.npz", x=self.random.normal(size=(64, 256)).astype(np.float32))
        self.run_verb("m.txt", "--calib", "c.npz", "--target-ratio", "4", "-o", "small.ath", "--quiet")
        self.refused("the model is quantised already: the weights of its products are integers", "small.ath", "--calib", "c.npz", code=2)


class Pages(Case):
    def page(self, *more):
        w, v = (self.random.normal(size=size).astype(np.float32) / 8 for size in ((64, 64), (64, 10)))
        (self.folder / "m.txt").write_text(
            f"graph main(x: f32[1, 64]) -> (z: f32[1, 10]) {{\n  const %w: {write(w)}\n  const %v: {write(v)}\n"
            "  %y = MatMul(%x, %w) @first\n  %r = Relu(%y)\n  %z = MatMul(%r, %v) @second\n}\n")
        x = self.random.normal(size=(80, 64)).astype(np.float32)
        np.savez(self.folder / "c.npz", x=x[:40])
        np.savez(self.folder / "d.npz", x=x[40:])
        run = self.run_verb("m.txt", "-o", "o.ath", "--report", "r", *more)
        return run, (self.folder / "r" / "report.html").read_text(), json.loads((self.folder / "r" / "report.json").read_text())

    def test_every_way_says_what_each_product_became(self):
        samples = ["--calib", "c.npz", "--data", "d.npz"]
        for more, kind, label, in_layers in (([*samples], "i8", "int8", False), ([*samples, "--target-ratio", "4"], "i8", "coded", True),
                                             ([*samples, "--weight-bits", "bf16"], "bf16", "bf16", True), (["--weight-bits", "f16"], "f16", "f16", False),
                                             ([*samples, "--activations", "float", "--group", "32"], "u8", "int8 weights", True)):
            run, page, report = self.page(*more)
            with self.subTest(more):
                self.assertEqual([(one["node"], one["weights"], one["type"]) for one in report["stored_weights"]],
                                 [("first", 4096, kind), ("second", 640, kind)])
                self.assertIn("What was asked for", page)
                self.assertIn("What the weights became", page)
                self.assertRegex(page, f"<td>{label}</td>")
                self.assertRegex(run.stdout, f"(?m)^{label} +[0-9]")
                self.assertEqual([one["tensor"] for one in report.get("layers", [])], ["y", "z"] if in_layers else [])
                for one in report.get("layers", []):
                    self.assertGreater(one["sqnr_db"], 5)

    def test_the_ladder_says_what_was_kept(self):
        _, page, report = self.page("--calib", "c.npz", "--data", "d.npz", "--auto", "--max-drop", "0.5%")
        met = [rung["met"] for rung in report["rungs"]]
        self.assertEqual(met, sorted(met, reverse=True))
        self.assertIn(f'&quot;{report["rungs"][sum(met) - 1]["name"]}&quot; was written', page.replace('"', "&quot;"))
        self.assertEqual(page.count("<td>written</td>"), 1)
        self.assertEqual("refused" in page, not all(met))


class Shared(Case):
    """Two products read one matrix: its integers lie in the file once."""

    def test_weights_of_two_products_lie_in_the_file_once(self):
        w = self.random.normal(size=(64, 64)).astype(np.float32) / 8
        model = (f"graph main(x: f32[1, 64], z: f32[1, 64]) -> (a: f32[1, 64], b: f32[1, 64]) {{\n  const %w: {write(w)}\n"
                 "  %p = MatMul(%x, %w) @first\n  %q = MatMul(%z, %w) @second\n  %a = Tanh(%p)\n  %b = Tanh(%q)\n}\n")
        # The second one reads something else, so that each alone would be rounded otherwise.
        x, z = self.random.normal(size=(48, 64)), self.random.normal(size=(48, 64)) @ self.random.normal(size=(64, 64))
        samples = {"x": x.astype(np.float32), "z": z.astype(np.float32)}
        for more in (["--activations", "8"], ["--activations", "float", "--group", "32"], ["--weight-bits", "4", "--correct", "adaround"],
                     ["--target-ratio", "3"]):
            (self.folder / "m.txt").write_text(model)
            np.savez(self.folder / "calib.npz", **samples)
            out = "out.ath" if "--target-ratio" in more else "out.txt"
            self.run_verb("m.txt", "--calib", "calib.npz", "-o", out, "--report", "r.json", *more)
            report = json.loads((self.folder / "r.json").read_text())
            with self.subTest(more):
                first, second = report["stored_weights"]
                self.assertEqual((first["weights"], second["weights"], second["bytes"]), (4096, 4096, 0))
                self.assertGreater(first["bytes"], 0)
                # Of 4096 numbers there are not two lots.
                self.assertLess((self.folder / out).stat().st_size, 9000)


if __name__ == "__main__":
    unittest.main()
