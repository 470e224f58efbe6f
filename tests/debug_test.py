#!/usr/bin/env python3
"""When the numbers differ: bisect, reduce, run --watch and --dump, compare --task, inspect --feasibility, convert --partition.

Each fault is planted, so that the right answer is known. Needs NumPy; what needs the Python module or ONNX Runtime is skipped
without them. The binary is $ATHANOR_BIN or the newest of build/*/bin/athanor.
"""
import json
import re
import unittest

import numpy as np

from cli_test import Case, athanor, document, port



def graph(body, inputs="x: f32[2, 4]", outputs="y: f32[2, 4]"):
    return f"graph main({inputs}) -> ({outputs}) {{\n{body}}}\n".encode()


class Inside(Case):
    def model(self):
        """-(x^2 + 1), whose root is no number; by hand."""
        return self.file("root.txt", graph("""  const %one: f32[] = 1
  %square: f32[4] = Mul(%x, %x)
  %more: f32[4] = Add(%square, %one)
  %less: f32[4] = Neg(%more)
  %root: f32[4] = Sqrt(%less)
  %y: f32[4] = Relu(%root)
""", "x: f32[4]", "y: f32[4]"))

    def test_watch_names_the_first_that_is_not_finite(self):
        np.save(self.folder / "x.npy", np.array([0, 1, 2, 3], np.float32))
        result = document(self, "run", self.model(), self.folder / "x.npy", "--watch", "--device", "reference")
        watch = result["watch"]
        self.assertEqual(watch["first_not_finite"], "root")
        ranges = {v["name"]: v for v in watch["values"]}
        self.assertEqual((ranges["more"]["min"], ranges["more"]["max"], ranges["more"]["mean"]), (1, 10, 4.5))
        self.assertEqual((ranges["root"]["nan"], ranges["root"]["infinite"]), (4, 0))
        text = athanor("run", self.model(), self.folder / "x.npy", "--watch", "--device", "reference").stdout
        self.assertIn("first not finite: root (Sqrt), 4 NaN; computed from less", text)

    def test_values_are_dumped_as_they_are(self):
        np.save(self.folder / "x.npy", np.array([0, 1, 2, 3], np.float32))
        inputs = [self.model(), self.folder / "x.npy", "--device", "reference"]
        result = document(self, "run", *inputs, "--dump", "all", self.folder / "values")
        self.assertEqual([v["name"] for v in result["dumped"]], ["square", "more", "less", "root", "y"])
        listing = json.loads((self.folder / "values" / "values.json").read_text())
        self.assertEqual(listing[1]["op"], "Add")
        np.testing.assert_array_equal(np.load(self.folder / "values" / listing[1]["file"]), [1, 2, 5, 10])
        document(self, "run", *inputs, "--dump", "less", self.folder / "less.npz")
        archive = np.load(self.folder / "less.npz")
        self.assertEqual(archive.files, ["less"])
        np.testing.assert_array_equal(archive["less"], [-1, -2, -5, -10])

    def test_a_wrong_name_suggests_one(self):
        run = athanor("run", self.model(), "random", "--dump", "rooot", self.folder / "values", "--device", "reference")
        self.assertEqual(run.returncode, 1)
        self.assertIn('did you mean "root"', run.stderr)

    def test_what_came_before_an_error_is_shown(self):
        model = self.file("gather.txt", graph("""  const %far: i64[1] = [7]
  %s: f32[2, 4] = Sigmoid(%x)
  %t: i64[1] = Mul(%i, %far)
  %y: f32[1, 4] = Gather(%s, %t)
""", "x: f32[2, 4], i: i64[1]", "y: f32[1, 4]"))
        run = athanor("run", model, "--input", "x=random", "--input", "i=1", "--watch", "--device", "reference")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("Sigmoid", run.stdout)
        self.assertIn("ATH-2301", run.stderr)


class Compare(Case):
    def pictures(self):
        """The same network with channels first and last."""
        first = graph("""  %r: f32[1, 3, 4, 5] = Sigmoid(%image)
  %y: f32[1, 3, 4, 5] = Neg(%r)
""", "image: f32[1, 3, 4, 5]", "y: f32[1, 3, 4, 5]")
        last = first.replace(b"1, 3, 4, 5", b"1, 4, 5, 3")
        return self.file("first.txt", first), self.file("last.txt", last)

    def test_channels_last_are_fed_the_same_picture(self):
        first, last = self.pictures()
        for a, b, axes in ((first, last, [0, 2, 3, 1]), (last, first, [0, 3, 1, 2])):
            result = document(self, "compare", a, b)
            self.assertTrue(result["pass"])
            self.assertEqual(result["layouts"][0], {"port": "input", "name": "image", "axes": axes})
            self.assertEqual(result["layouts"][1]["port"], "output")
            self.assertEqual(result["outputs"][0]["max_abs"], 0)
        self.assertIn('input "image": channels first -> last for the second model', athanor("compare", first, last).stdout)

    def scores(self, name, values):
        """A model that gives these scores and x * 0 more."""
        listed = ", ".join(map(str, values))
        return self.file(name, graph(f"""  const %zero: f32[] = 0
  const %scores: f32[1, {len(values)}] = [{listed}]
  %none: f32[1, 1] = Mul(%x, %zero)
  %y: f32[1, {len(values)}] = Add(%none, %scores)
""", "x: f32[1, 1]", f"y: f32[1, {len(values)}]"))

    def test_the_best_class_decides(self):
        a = self.scores("a.txt", [1, 5, 2, 3, 4, 0, -1])
        near = self.scores("near.txt", [1, 4.5, 2, 3, 4.4, 0, -1])
        far = self.scores("far.txt", [1, 3, 2, 3.5, 4, 2.5, -1])
        task = document(self, "compare", a, near, "--task", "classify")["task"]
        self.assertEqual((task["agreement"], task["top5_shared"]), (1, 1))
        task = document(self, "compare", a, far, "--task", "classify", code=3)["task"]
        self.assertEqual((task["agreement"], task["top5_shared"]), (0, 0.8))  # 1, 4, 3, 2, 0 and 4, 3, 1, 5, 2
        document(self, "compare", a, far, "--task", "classify", "--min-agreement", 0)

    def test_pixels_by_intersection_over_union(self):
        def labels(name, values):
            return self.file(name, graph(f"""  const %labels: i64[1, 2, 3] = {values}
  const %zero: i64[] = 0
  %none: i64[1, 1, 1] = Mul(%x, %zero)
  %y: i64[1, 2, 3] = Add(%none, %labels)
""", "x: i64[1, 1, 1]", "y: i64[1, 2, 3]"))
        a, b = labels("a.txt", [0, 0, 1, 1, 1, 2]), labels("b.txt", [0, 1, 1, 1, 1, 2])
        task = document(self, "compare", a, b, "--task", "segment", code=3)["task"]
        self.assertAlmostEqual(task["agreement"], (1 / 2 + 3 / 4 + 1) / 3)  # by hand

    def test_boxes_by_band_of_their_score(self):
        def boxes(name, rows):
            flat = [v for row in rows for v in row]
            return self.file(name, graph(f"""  const %boxes: f32[1, 1, {len(rows)}, 7] = {flat}
  const %zero: f32[] = 0
  %none: f32[1, 1, 1, 1] = Mul(%x, %zero)
  %y: f32[1, 1, {len(rows)}, 7] = Add(%none, %boxes)
""", "x: f32[1, 1, 1, 1]", f"y: f32[1, 1, {len(rows)}, 7]"))
        strong, weak = [0, 1, 0.9, 0.1, 0.1, 0.4, 0.4], [0, 2, 0.15, 0.5, 0.5, 0.9, 0.9]
        moved = [0, 1, 0.88, 0.1, 0.1, 0.4, 0.4]
        away = [0, 1, 0.9, 0.2, 0.2, 0.5, 0.5]
        a = boxes("a.txt", [strong, weak])
        task = document(self, "compare", a, boxes("b.txt", [moved]), "--task", "boxes")["task"]
        self.assertEqual(task["agreement"], 1)  # the weak one that is missing does not count
        bands = {band["from"]: band for band in task["bands"]}
        self.assertEqual((bands[0.7]["boxes"], bands[0.7]["found"]), (2, 2))
        self.assertAlmostEqual(bands[0.7]["score_off"], 0.02, places=6)
        self.assertEqual((bands[0.1]["boxes"], bands[0.1]["found"]), (1, 0))
        task = document(self, "compare", a, boxes("c.txt", [away, weak]), "--task", "boxes", code=3)["task"]
        self.assertEqual(task["agreement"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=1)
