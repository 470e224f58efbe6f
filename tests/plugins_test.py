#!/usr/bin/env python3
"""Plug-ins through the command line: the example in examples/plugin, compiled as its first lines say, on every verb that opens a
model, through every format that keeps its operator, and without it. Expected values are by hand."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "plugin"
ATHANOR = "athanor"  # tests/run.py puts it on the path


class Plugins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.scratch.name)
        command = re.search(r"^ \*   (gcc .*)$", (EXAMPLE / "roll.c").read_text(), re.M)[1]
        subprocess.run(f"{command.replace('roll.so', str(cls.folder / 'roll.so'))} -Wall -Wextra -Werror -pedantic", shell=True, cwd=ROOT, check=True)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def run_verb(self, *arguments, plugin="roll.so", expected=0):
        more = ["--plugin", str(self.folder / plugin)] if plugin else []
        run = subprocess.run([ATHANOR, *map(str, arguments), *more], cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(run.returncode, expected, run.stdout + run.stderr)
        return run.stdout + run.stderr

    def document(self, *arguments, **options):
        text = self.run_verb(*arguments, "--json", **options)
        return json.loads(text[text.index("{"):text.rindex("}") + 1])


    def answer(self, model, device="cpu"):
        import numpy as np  # pylint: disable=import-outside-toplevel
        np.save(self.folder / "x.npy", np.arange(8, dtype=np.float32).reshape(2, 4))
        weights = ["--weights", "random"] if str(model).endswith(".prototxt") else []
        self.run_verb("run", model, "--input", "x=x.npy", "--save", "out.npz", "--device", device, *weights)
        return np.load(self.folder / "out.npz")["y"].tolist()

    def test_the_operator_runs_on_each_device(self):
        for device in ["cpu", "reference", "HETERO:cpu,reference"]:
            self.assertEqual(self.answer(EXAMPLE / "roll.txt", device), [[1.5, 0, 0.5, 1], [3.5, 2, 2.5, 3]], device)

    def test_the_converter_reads_the_layer_of_a_caffe_network(self):
        self.assertEqual(self.answer(EXAMPLE / "roll.prototxt"), [[2, 3, 0, 1], [6, 7, 4, 5]])
        self.assertIn("a converter of caffe Roll", self.run_verb("inspect", EXAMPLE / "roll.prototxt", "--weights", "random", plugin=None, expected=2))

    def test_every_format_that_has_a_place_for_it_keeps_the_operator(self):
        for name in ["roll.onnx", "roll.ath", "copy.txt"]:
            self.run_verb("convert", EXAMPLE / "roll.txt", "-o", name)
            self.assertEqual(self.answer(name), [[1.5, 0, 0.5, 1], [3.5, 2, 2.5, 3]], name)
            text = self.run_verb("inspect", name, plugin=None, expected=2)
            self.assertIn("ATH-2003", text)
            self.assertIn("--plugin FILE.so", text)
        for name in ["roll.tflite", "roll.param", "roll.xml", "net.prototxt"]:
            self.assertIn("my::Roll", self.run_verb("convert", EXAMPLE / "roll.txt", "-o", name, "--set-dim", "N=1", expected=2))

    def test_onnx_itself_finds_nothing_wrong_with_the_file(self):
        try:
            import onnx  # pylint: disable=import-outside-toplevel
        except ImportError:
            self.skipTest("the onnx package is absent")
        self.run_verb("convert", EXAMPLE / "roll.txt", "-o", "checked.onnx")
        model = onnx.load(self.folder / "checked.onnx")
        onnx.checker.check_model(model)
        node = next(node for node in model.graph.node if node.op_type == "Roll")
        self.assertEqual((node.domain, node.attribute[0].name, node.attribute[0].i), ("my", "shift", 1))

    def test_every_verb_that_opens_a_model_takes_plugins(self):
        model = EXAMPLE / "roll.txt"
        self.assertEqual(self.document("inspect", model)["ops"], {"Mul": 1, "my::Roll": 1})
        self.assertIn("my::Roll", self.run_verb("explain", model))
        self.assertTrue(self.document("compare", model, model)["pass"])
        self.run_verb("bisect", model)
        self.run_verb("profile", model)
        self.run_verb("optimize", model, "-o", "optimized.ath")
        self.assertGreater(self.document("bench", model, "--time", "0.05")["throughput_per_s"], 0)
        # Before the model as well as behind it.
        first = [ATHANOR, "inspect", "--plugin", str(self.folder / "roll.so"), str(model)]
        self.assertEqual(subprocess.run(first, capture_output=True, check=False).returncode, 0)

    def test_a_package_runs_the_operators_of_a_plugin(self):
        text = "graph g(x: f32[1, 1, 2, 4]) -> (y) {\n  %t = my::Roll(%x) {shift = 1}\n  %y = Flatten(%t)\n}"
        (self.folder / "picture.txt").write_text(text)
        stages = "name: roll\nstages:\n  - decode: {colour: grey}\n  - normalise: {mean: 0, std: 1}\n  - model: {file: picture.txt}\n"
        (self.folder / "pipeline.yaml").write_text(stages + "  - top_k: {count: 1}\n")
        # Grey, 4 by 2; the brightest pixel, of 7, is the last of the first row, and the first after a turn by one.
        (self.folder / "picture.pgm").write_bytes(b"P5 4 2 255\n" + bytes([0, 1, 2, 7, 3, 4, 5, 6]))
        self.run_verb("pack", "pipeline.yaml", "-o", "roll.athpkg")
        told = self.document("run", "roll.athpkg", "picture.pgm")
        self.assertEqual(told["runs"][0]["classes"][0]["class"], 0, told)
        for arguments in (["pack", "pipeline.yaml", "-o", "none.athpkg"], ["run", "roll.athpkg", "picture.pgm"]):
            self.assertIn("--plugin FILE.so", self.run_verb(*arguments, plugin=None, expected=2))

    def test_what_is_no_plugin_is_refused(self):
        (self.folder / "text.so").write_text("no library")
        self.assertIn("ATH-2002", self.run_verb("inspect", EXAMPLE / "roll.txt", plugin="text.so", expected=2))
        self.assertIn("ATH-1004", self.run_verb("inspect", EXAMPLE / "roll.txt", plugin="none.so", expected=1))

    def test_what_the_callback_says_is_the_error(self):
        (self.folder / "f64.txt").write_text("graph g(x: f64[4]) -> (y) { %y = my::Roll(%x) @turn }")
        text = self.run_verb("inspect", "f64.txt", expected=2)
        self.assertIn('node "turn" (my::Roll): x must be f32', text)
        (self.folder / "attr.txt").write_text("graph g(x: f32[4]) -> (y) { %y = my::Roll(%x) {shfit = 2} @turn }")
        self.assertIn('did you mean "shift"', self.run_verb("inspect", "attr.txt", expected=2))


if __name__ == "__main__":
    sys.exit(unittest.main())
