#!/usr/bin/env python3
"""When the numbers differ: bisect, reduce, run --watch and --dump, compare --task, inspect --feasibility, convert --partition.

Each fault is planted, so that the right answer is known. Needs NumPy; what needs the Python module or ONNX Runtime is skipped
without them. The binary is $ATHANOR_BIN or the newest of build/*/bin/athanor.
"""
import importlib.util
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import unittest

import numpy as np

from cli_test import MODEL, Case, athanor, document, field, port
from running import binary

HAS_MODULE = importlib.util.find_spec("athanor") is not None
HAS_ORT = importlib.util.find_spec("onnxruntime") is not None


def graph(body, inputs="x: f32[2, 4]", outputs="y: f32[2, 4]"):
    return f"graph main({inputs}) -> ({outputs}) {{\n{body}}}\n".encode()


def two_branches(right):
    """From %a two ways to %sum; the weights of the second are random(right)."""
    return graph(f"""  const %w: f32[4, 4] = random(1)
  const %left: f32[4, 4] = random(2)
  const %right: f32[4, 4] = random({right})
  %a: f32[2, 4] = MatMul(%x, %w) @a
  %b: f32[2, 4] = MatMul(%a, %left) @b
  %c: f32[2, 4] = MatMul(%a, %right) @c
  %d: f32[2, 4] = Tanh(%c) @d
  %sum: f32[2, 4] = Add(%b, %d) @sum
  %y: f32[2, 4] = Sigmoid(%sum) @y
""")


class Bisect(Case):
    def test_it_names_the_node_whose_weights_were_changed(self):
        a, b = self.file("a.txt", two_branches(3)), self.file("b.txt", two_branches(4))
        both = ["--device", "reference"]
        result = document(self, "bisect", a, b, *both, code=3)
        self.assertFalse(result["pass"])
        first = result["first"]
        self.assertEqual((first["value"], first["node"], first["op"]), ("c", "c", "MatMul"))
        self.assertEqual(len(result["suspects"]), 1)
        inputs = {i["name"]: i for i in first["inputs"]}
        self.assertEqual(inputs["a"]["error"]["rel_l2"], 0)
        self.assertTrue(inputs["right"]["constant"] and inputs["right"]["error"]["differs"])
        differing = {v["value"] for v in result["values"] if v["differs"]}
        self.assertEqual(differing, {"c", "d", "sum", "y"})
        text = athanor("bisect", a, b, *both)
        self.assertIn("first difference: c (MatMul)", text.stdout)
        self.assertIn("next: athanor run", text.stdout)
        self.assertEqual(text.returncode, 3)

    def test_the_error_it_shows_is_that_of_the_tensors(self):
        a, b = self.file("a.txt", two_branches(3)), self.file("b.txt", two_branches(4))
        for model in (a, b):
            run = athanor("run", model, "random", "--device", "reference", "--dump", "c", self.folder / model.stem)
            self.assertEqual(run.returncode, 0, run.stderr)
        x, y = (np.load(self.folder / name / "c.npy") for name in "ab")
        first = document(self, "bisect", a, b, "--device", "reference", code=3)["first"]
        self.assertAlmostEqual(first["rel_l2"], float(np.linalg.norm(x - y) / np.linalg.norm(x)), places=6)
        self.assertAlmostEqual(first["max_abs"], float(np.abs(x - y).max()), places=6)

    def test_one_model_is_its_kernels_beside_its_references(self):
        result = document(self, "bisect", MODEL)
        self.assertTrue(result["pass"])
        self.assertGreater(len(result["values"]), 8)
        result = document(self, "bisect", MODEL, "--passes-b", "off")
        self.assertTrue(result["pass"])

    def test_both_sides_the_same_is_a_mistake(self):
        run = athanor("bisect", MODEL, "--device", "cpu", "--device-b", "cpu")
        self.assertEqual(run.returncode, 1)
        self.assertIn("both sides are the same", run.stderr)

    def test_two_formats_with_a_fault_in_one_layer(self):
        """digits as ncnn, whose file has a layer's weights changed: res_a's."""
        text = self.folder / "digits.txt"
        self.assertEqual(athanor("convert", MODEL, "-o", text, "--no-check").returncode, 0)
        faulty = re.sub(r"(const %res_a\.weight: f32\[48, 48, 3, 3\] = )\S+", r"\1random(9)", text.read_text())
        self.assertNotEqual(faulty, text.read_text())
        text.write_text(faulty)
        good, bad = self.folder / "good.param", self.folder / "bad.param"
        for source, target in ((MODEL, good), (text, bad)):
            self.assertEqual(athanor("convert", source, "-o", target, "--no-check").returncode, 0)
        for match in ("name", "position"):
            with self.subTest(match):
                self.assertTrue(document(self, "bisect", MODEL, good, "--match", match)["pass"])
                first = document(self, "bisect", MODEL, bad, "--match", match, code=3)["first"]
                self.assertTrue(first["value"].startswith("res_a."), first["value"])
                self.assertIn("Conv", first["op"])
                self.assertTrue(all(not i["error"]["differs"] for i in first["inputs"] if i["error"] and not i["constant"]))
                self.assertTrue(any(i["constant"] and i["error"] and i["error"]["differs"] for i in first["inputs"]))

    def test_values_of_another_engine_by_name(self):
        """NumPy is the other engine, and has a fault in one step."""
        model = self.file("a.txt", graph("""  const %w: f32[4, 4] = [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 4]
  %m: f32[2, 4] = MatMul(%x, %w)
  %t: f32[2, 4] = Tanh(%m)
  %y: f32[2, 4] = Neg(%t)
"""))
        x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
        np.save(self.folder / "x.npy", x)
        m = x * np.array([1, 2, 3, 4], np.float32)
        for fault in (0, 0.25):
            t = np.tanh(m) + np.float32(fault)
            np.savez(self.folder / "other.npz", m=m, t=t, y=-t)
            result = document(self, "bisect", model, self.folder / "other.npz", "--input", self.folder / "x.npy",
                              "--device", "reference", code=3 if fault else 0)
            self.assertEqual(result["first"] and result["first"]["value"], "t" if fault else None)

    def test_a_dump_of_another_machine_is_a_recording(self):
        values = self.folder / "values.npz"
        document(self, "run", MODEL, "random", "--dump", "all", values)
        self.assertTrue(document(self, "bisect", MODEL, values)["pass"])

    def int8(self):
        """digits, calibrated on pictures of 0 to 1."""
        path = self.folder / "digits.int8.ath"
        run = athanor("quantize", MODEL, "--calib", MODEL.parent / "calib.npz", "-o", path, "--std", 255)
        self.assertEqual(run.returncode, 0, run.stderr)
        return path

    def test_random_inputs_keep_to_what_the_integers_were_calibrated_for(self):
        """From -1 to 1 half of them were clipped, and the alarm said nothing of it."""
        int8 = self.int8()
        run = athanor("compare", MODEL, int8, "--json")
        self.assertEqual(run.returncode, 3, run.stderr)
        [given] = json.loads(run.stdout)["ranges"]
        self.assertEqual((given["model"], given["outside"], given["elements"]), (str(int8), 0, 32 * 32))
        self.assertAlmostEqual(given["low"], 0, delta=0.02)
        self.assertAlmostEqual(given["high"], 1, delta=0.02)
        self.assertIn(f"random numbers from {given['low']:g} to {given['high']:g}, which {int8} was calibrated for", run.stderr)
        self.assertIn("integers of 8 bits do by some percent", run.stderr)
        # What is given is taken as it is, and counted.
        x = np.full((1, 1, 32, 32), 0.5, np.float32)
        x[0, 0, :8] = -1
        np.save(self.folder / "x.npy", x)
        run = athanor("compare", MODEL, int8, "--input", self.folder / "x.npy")
        self.assertIn("25 % of its elements lie outside", run.stdout)
        run = athanor("bisect", MODEL, int8, "--input", self.folder / "x.npy")
        self.assertIn("25 % of its elements lie outside", run.stdout)
        self.assertEqual(document(self, "compare", MODEL, MODEL)["ranges"], [])

    def test_precisions_differ_beyond_a_tolerance(self):
        int8 = self.int8()
        picture = ["--input", MODEL.parent / "images" / "3_0389.png", "--std", 255]
        self.assertTrue(document(self, "bisect", MODEL, int8, *picture, "--tolerance", 0.5)["pass"])
        result = document(self, "bisect", MODEL, int8, *picture, "--tolerance", 1e-5, code=3)
        self.assertIsNotNone(result["first"])

    def test_bf16_on_the_reference_is_answered_with_what_asks_about_bf16(self):
        """The advice was device cpu, which was typed, under a phrase that stood there twice."""
        for verb, *more in (["bisect", "--device", "cpu"], ["compare", "--device-b", "reference"]):
            run = athanor(verb, MODEL, *more, "--precision", "bf16")
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn("device reference computes in the model's own types, not in bf16", run.stderr)
            self.assertNotIn("precision bf16: precision bf16", run.stderr)
            self.assertIn(f"athanor {verb} {MODEL} --precision-b bf16", run.stderr)

    def test_rounded_factors_differ_from_the_first_product_on(self):
        """Of two large products in a row, the second after a function: bf16 keeps 8 bits of what the first multiplies."""
        model = self.file("wide.txt", graph("""  const %w: f32[256, 256] = random(1)
  const %v: f32[256, 256] = random(2)
  %n: f32[64, 256] = Neg(%x) @n
  %a: f32[64, 256] = Erf(%n) @a
  %b: f32[64, 256] = MatMul(%a, %w) @b
  %y: f32[64, 256] = MatMul(%b, %v) @y
""", "x: f32[64, 256]", "y: f32[64, 256]"))
        same = athanor("bisect", model, "--device", "cpu", "--device-b", "cpu", "--precision", "auto")
        self.assertIn("both sides are the same: wide.txt on cpu, precision auto", same.stderr)
        narrow = {**os.environ, "ATHANOR_ISA": "avx2"}
        self.assertIn("ATH-2101", athanor("bisect", model, "--precision-b", "bf16", env=narrow).stderr)
        if " avx512_bf16" not in pathlib.Path("/proc/cpuinfo").read_text() or "ATHANOR_ISA" in os.environ:
            self.skipTest("this machine has no avx512_bf16, or may not use it")
        first = document(self, "bisect", model, "--precision-b", "bf16", code=3)["first"]
        self.assertEqual((first["value"], first["op"]), ("b", "MatMul"))
        self.assertTrue(all(not i["error"]["differs"] for i in first["inputs"] if i["error"]))
        self.assertGreater(first["rel_l2"], 2e-4)
        self.assertLess(first["rel_l2"], 2.0 ** -7)  # 8 bits of each factor
        self.assertTrue(document(self, "bisect", model, "--precision-b", "bf16", "--tolerance", 0.02)["pass"])
        compare = athanor("compare", model, "--precision-b", "bf16")
        self.assertIn(f"athanor bisect {model} --precision-b bf16 finds the first node", compare.stderr)


    def test_what_compare_advises_finds_what_compare_found(self):
        """One small element is off by more than compare allows and less than bisect, which judges values as a whole, minds."""
        def model(name, small):
            return self.file(name, graph(f"""  const %k: f32[4] = [{small}, 0, 0, 10000]
  %a: f32[2, 4] = Neg(%x) @a
  %y: f32[2, 4] = Add(%a, %k) @y
"""))
        a, b = model("a.txt", 0), model("b.txt", 0.01)
        run = athanor("compare", a, b)
        self.assertEqual(run.returncode, 3, run.stderr)
        self.assertTrue(document(self, "bisect", a, b)["pass"])
        advice = re.search(r"athanor (bisect .*) finds the first node", run.stderr)
        self.assertIsNotNone(advice, run.stderr)
        self.assertIn("--tolerance", advice[1])
        first = document(self, *advice[1].split(), code=3)["first"]
        self.assertEqual((first["value"], first["op"]), ("y", "Add"))
        # Or it is rounding, and the tolerance that is named lets it pass.
        atol = re.search(r"as rounding makes them: --atol (\S+) allows it", run.stderr)
        self.assertIsNotNone(atol, run.stderr)
        self.assertTrue(document(self, "compare", a, b, "--atol", atol[1])["pass"])

    def test_the_advice_carries_what_was_typed(self):
        """The picture and how it is read were dropped, so that bisect looked at random numbers instead."""
        text = self.folder / "digits.txt"
        self.assertEqual(athanor("convert", MODEL, "-o", text, "--no-check").returncode, 0)
        text.write_text(re.sub(r"(const %res_a\.weight: .* = )\S+", r"\1random(9)", text.read_text()))
        typed = ["--input", MODEL.parent / "images" / "3_0389.png", "--mean", "127.5", "--std", "127.5", "--device", "reference"]
        run = athanor("compare", MODEL, text, *typed)
        self.assertEqual(run.returncode, 3, run.stderr)
        advice = re.search(r"athanor (bisect .*) finds the first node", run.stderr)[1].split()
        for name, value in zip(typed[::2], typed[1::2]):
            self.assertEqual(advice[advice.index(name) + 1], str(value))
        self.assertNotIn("rounding", run.stderr)
        self.assertTrue(document(self, *advice, code=3)["first"]["value"].startswith("res_a"))


class Reduce(Case):
    def chain(self):
        return self.file("chain.txt", two_branches(3))

    def test_a_command_decides(self):
        out = self.folder / "small.txt"
        result = document(self, "reduce", self.chain(), "--fails", "! grep -q '= Tanh' {}", "-o", out)
        self.assertEqual((result["nodes_before"], result["nodes"]), (6, 1))
        nodes = re.findall(r"= (\w+)\(", out.read_text())
        self.assertEqual(nodes, ["Tanh"])
        self.assertIn("f32[1, 1]", out.read_text())  # every axis is as short as it gets
        arrays = np.load(result["inputs"])
        self.assertEqual(arrays.files, ["c"])

    def test_the_same_failure_not_any(self):
        """The whole model ends with 7; parts of it end with 3, which is another fault."""
        check = "if grep -q '= Tanh' {} && grep -q '= Add' {}; then exit 7; else exit 3; fi"
        out = self.folder / "small.txt"
        document(self, "reduce", self.chain(), "--fails", check, "-o", out)
        self.assertEqual(sorted(re.findall(r"= (\w+)\(", out.read_text())), ["Add", "Tanh"])

    def test_what_it_prints_may_be_part_of_it(self):
        out = self.folder / "small.txt"
        document(self, "reduce", self.chain(), "--fails", "grep -o '= Sigmoid' {}; exit 1", "--match", "= Sigmoid", "-o", out)
        self.assertEqual(re.findall(r"= (\w+)\(", out.read_text()), ["Sigmoid"])

    def test_an_error_of_ours_on_recorded_inputs(self):
        """Gather with an index that is out of range, computed inside: only with its value does it fail."""
        model = self.file("gather.txt", graph("""  const %two: i64[] = 2
  const %w: f32[4, 4] = random(1)
  %far: i64[3] = Mul(%i, %two)
  %rows: f32[3, 4] = Gather(%x, %far)
  %m: f32[3, 4] = MatMul(%rows, %w)
  %y: f32[3, 4] = Relu(%m)
""", "x: f32[2, 4], i: i64[3]", "y: f32[3, 4]"))
        np.save(self.folder / "i.npy", np.array([0, 1, 0], np.int64))
        out = self.folder / "small.txt"
        run = athanor("run", model, "--input", f"i={self.folder / 'i.npy'}", "--input", "x=random")
        code = re.search(r"error (ATH-\d+)", run.stderr)[1]
        result = document(self, "reduce", model, "--errors", code, "--input", f"i={self.folder / 'i.npy'}", "--input", "x=random",
                          "-o", out)
        self.assertEqual(re.findall(r"= (\w+)\(", out.read_text()), ["Gather"])
        again = athanor("run", out, result["inputs"])
        self.assertIn(code, again.stderr)

    def test_devices_that_differ(self):
        """No kernel is wrong, so the least difference in rounding counts as one."""
        out = self.folder / "small.ath"
        exact = ["--tolerance", 0, "--atol", 0]
        result = document(self, "reduce", MODEL, "--differs", *exact, "-o", out)
        self.assertEqual(result["nodes"], 1)
        self.assertFalse(document(self, "bisect", out, "--input", result["inputs"], *exact, code=3)["pass"])

    def test_onnx_is_written_by_its_ending(self):
        out = self.folder / "small.onnx"
        result = document(self, "reduce", MODEL, "--fails", "! grep -q MaxPool {}", "-o", out)
        self.assertEqual(result["nodes"], 1)
        self.assertEqual(document(self, "inspect", out)["ops"], {"MaxPool": 1})

    def test_it_is_the_same_every_time(self):
        texts = []
        for name in ("p.txt", "q.txt"):
            document(self, "reduce", self.chain(), "--fails", "! grep -q '= Add' {}", "-o", self.folder / name)
            texts.append((self.folder / name).read_text())
        self.assertEqual(texts[0], texts[1])

    def test_mistakes_are_told(self):
        chain = self.chain()
        for arguments, message in [([], "one of --fails, --differs and --errors"), (["--fails", "false"], "stands for the file"),
                                   (["--errors", "ATH-9"], "the number of an error"), (["--fails", "true {}"], "shows no such fault")]:
            run = athanor("reduce", chain, *arguments, "-o", self.folder / "x.ath")
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(message, run.stderr)
            self.assertFalse((self.folder / "x.ath").exists())

    def test_a_run_that_hangs_is_ended(self):
        start = time.time()
        out = self.folder / "small.txt"
        check = "if grep -q '= Tanh' {}; then exit 5; else exec sleep 60; fi"
        document(self, "reduce", self.chain(), "--fails", check, "--timeout", 0.2, "-o", out)
        self.assertEqual(re.findall(r"= (\w+)\(", out.read_text()), ["Tanh"])
        self.assertLess(time.time() - start, 50)

    def test_an_interrupt_keeps_the_smallest_so_far(self):
        out = self.folder / "small.txt"
        process = subprocess.Popen([binary(), "reduce", self.chain(), "--fails", "sleep 0.3; ! grep -q '= Tanh' {}", "-o", out],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while "node" not in process.stderr.readline():  # told about the first smaller one
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        _, text = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 4, text)
        self.assertIn("ATH-4003", text)
        self.assertEqual(athanor("inspect", out).returncode, 0)
        self.assertLess(len(re.findall(r"= (\w+)\(", out.read_text())), 6)


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
        self.assertTrue(document(self, "bisect", first, last)["pass"])

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


def node(op, inputs, outputs, domain="", **attributes):
    """attributes: texts."""
    made = b"".join(field(5, field(1, name) + field(4, value) + field(20, 3)) for name, value in attributes.items())
    return field(1, b"".join(field(1, i) for i in inputs) + b"".join(field(2, o) for o in outputs) + field(3, "n_" + outputs[0]) +
                 field(4, op) + made + field(7, domain))


def model_with(nodes, inputs, outputs, domain):
    parts = b"".join(nodes) + field(2, "g") + b"".join(field(11, port(*i)) for i in inputs) + b"".join(
        field(12, port(*o)) for o in outputs)
    return field(1, 8) + field(7, parts) + field(8, field(1, "") + field(2, 17)) + field(8, field(1, domain) + field(2, 1))


class Feasibility(Case):
    def unread(self):
        return self.file("custom.onnx", model_with(
            [node("Relu", ["x"], ["r"]), node("Twice", ["r"], ["t"], "com.acme"), node("Reluu", ["t"], ["u"]),
             node("Twice", ["u"], ["v"], "com.acme"), node("Neg", ["v"], ["y"])],
            [("x", (2, 3))], [("y", (2, 3))], "com.acme"))

    def test_everything_that_stops_it_is_listed_with_counts(self):
        result = document(self, "inspect", self.unread(), "--feasibility", code=2)
        self.assertFalse(result["feasible"])
        self.assertEqual({u["op"]: u["count"] for u in result["unread"]}, {"com.acme.Twice": 2, "ai.onnx.Reluu": 1})
        self.assertIn('did you mean "Relu"', [u["reason"] for u in result["unread"] if u["op"] == "ai.onnx.Reluu"][0])
        self.assertEqual([s["here"] for s in result["stages"]], [True, False, True])
        run = athanor("inspect", self.unread(), "--feasibility")
        self.assertIn("com.acme.Twice  2x: there is no operator com.acme.Twice", run.stdout)
        self.assertIn("--partition", run.stdout.splitlines()[-1])
        self.assertIn("3 of 5 nodes cannot be read", run.stderr)

    def test_a_model_that_is_read_says_what_has_kernels(self):
        report = document(self, "inspect", MODEL, "--feasibility")["feasibility"]
        self.assertEqual((report["nodes"], report["on_reference"], report["symbols"]), (24, [], ["N"]))

    def test_other_formats_list_their_problems(self):
        param = self.file("odd.param", b"7767517\n2 2\nInput in 0 1 x\nStrange odd 1 1 x y\n")
        self.file("odd.bin", b"")
        result = document(self, "inspect", param, "--feasibility", code=2)
        self.assertEqual([u["count"] for u in result["unread"]], [1])


class Partition(Case):
    def split(self, model):
        result = document(self, "convert", model, "-o", self.folder / "part.ath", "--partition")
        return result, self.folder / "part.stages.json"

    def test_the_parts_and_their_order_are_written(self):
        model = self.file("m.onnx", model_with(
            [node("Relu", ["x"], ["r"]), node("Twice", ["r"], ["t"], "com.acme"), node("Neg", ["t"], ["y"])],
            [("x", (2, 3))], [("y", (2, 3))], "com.acme"))
        result, listing = self.split(model)
        stages = json.loads(listing.read_text())["stages"]
        self.assertEqual([s["file"] for s in stages], ["part.0.ath", "part.1.onnx", "part.2.ath"])
        self.assertEqual([s["run_by"] for s in stages], ["athanor", "other", "athanor"])
        self.assertEqual(result["assumed"], ["t"])
        # The node as it stood, byte by byte.
        self.assertIn(node("Twice", ["r"], ["t"], "com.acme"), (self.folder / "part.1.onnx").read_bytes())
        self.assertEqual(document(self, "inspect", self.folder / "part.2.ath")["ops"], {"Neg": 1})

    def test_what_is_read_is_not_split(self):
        run = athanor("convert", MODEL, "-o", self.folder / "x.ath", "--partition")
        self.assertEqual(run.returncode, 1)
        self.assertIn("there is nothing to split", run.stderr)

    @unittest.skipUnless(HAS_MODULE, "the Python module was not built")
    def test_a_function_of_the_user_runs_the_rest(self):
        import athanor as module
        model = self.file("m.onnx", model_with(
            [node("Relu", ["x"], ["r"]), node("Twice", ["r"], ["t"], "com.acme"), node("Neg", ["t"], ["y"])],
            [("x", (2, 3))], [("y", (2, 3))], "com.acme"))
        _, listing = self.split(model)
        x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)
        seen = []

        def twice(path):
            seen.append(pathlib.Path(path).name)
            return lambda inputs: [2 * inputs["r"]]
        stages = module.open_stages(listing, twice)
        np.testing.assert_allclose(stages(x), -2 * np.maximum(x, 0))
        self.assertEqual(seen, ["part.1.onnx"])

    @unittest.skipUnless(HAS_MODULE and HAS_ORT, "the Python module or ONNX Runtime is absent")
    def test_onnx_runtime_runs_an_operator_of_its_own_that_is_not_read(self):
        """com.microsoft.CDist: the distance of every row of one matrix from every row of another."""
        import athanor as module
        import onnxruntime
        model = self.file("m.onnx", model_with(
            [node("Relu", ["a"], ["r"]), node("CDist", ["r", "b"], ["d"], "com.microsoft", metric="euclidean"),
             node("Neg", ["d"], ["y"])],
            [("a", (3, 4)), ("b", (5, 4))], [("y", (3, 5))], "com.microsoft"))
        self.assertEqual(athanor("inspect", model).returncode, 2)
        _, listing = self.split(model)
        random = np.random.default_rng(0)
        a, b = random.standard_normal((3, 4), np.float32), random.standard_normal((5, 4), np.float32)
        answer = module.open_stages(listing)(a=a, b=b)
        by_hand = -np.sqrt(((np.maximum(a, 0)[:, None] - b[None]) ** 2).sum(-1))
        np.testing.assert_allclose(answer, by_hand, rtol=1e-5, atol=1e-5)
        whole = onnxruntime.InferenceSession(str(model)).run(None, {"a": a, "b": b})[0]
        np.testing.assert_allclose(answer, whole, rtol=1e-5, atol=1e-5)


if __name__ == "__main__":
    unittest.main(verbosity=1)
