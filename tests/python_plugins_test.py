#!/usr/bin/env python3
"""Operators and converters in Python. Run by tests/run.py in the environment where the package is installed."""
import pathlib
import tempfile
import threading
import unittest

import numpy as np

import athanor

ROOT = pathlib.Path(__file__).resolve().parent.parent


@athanor.op("py::Roll")
def roll(x, *, shift=1):
    """x turned around along its last axis."""
    return np.roll(x, shift, axis=-1)


@athanor.op("py::Scaled", outputs=["sum", "difference"], infer=lambda a, b=None, *, factor=1.0, names=(), flip=False: (a, a))
def scaled(a, b=None, *, factor=1.0, names: "list[str]" = (), flip=False):
    other = (np.zeros_like(a) if b is None else b) * np.float32(factor)
    assert isinstance(flip, bool) and all(isinstance(name, str) for name in names)
    return (a - other, a + other) if flip else (a + other, a - other)


@athanor.op("py::Stack", infer=lambda *xs: athanor.TensorType(xs[0].dtype, (len(xs), *xs[0].shape)))
def stack(*xs):
    return np.stack(xs)


@athanor.op("py::Positive", data_dependent=True)
def positive(x):
    return x[x > 0]


@athanor.op("py::Mean")
def mean(x, *, axes: "list[int]", keep: bool = False):
    return x.mean(tuple(axes), dtype=np.float32, keepdims=keep)


@athanor.converter("caffe", "PyRoll")
def read_roll(node):
    x, = node.inputs
    assert x.dtype == np.float32 and x.shape == (2, 4) and x.data is None
    turned = node.add("py::Roll", x, shift=node.attributes["shift"])
    return node.add("Mul", turned, node.constant(np.float32(node.attributes["scale"])))


class Plugins(unittest.TestCase):
    def load(self, text, name="model.txt", **options):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, name)
            path.write_text(text)
            path.with_suffix(".caffemodel").write_bytes(b"\x0a\x01n")  # weights of a network "n" without layers
            return athanor.load(path, **options)

    def test_an_operator_over_arrays_runs_on_each_device(self):
        x = np.arange(8, dtype=np.float32).reshape(2, 4)
        for device in ["cpu", "reference"]:
            net = self.load("graph g(x: f32[N, 4]) -> (y) {\n  %t = py::Roll(%x) {shift = -1}\n  %y = Neg(%t)\n}", device=device)
            self.assertEqual(net(x).tolist(), (-np.roll(x, -1, axis=1)).tolist())
            self.assertEqual(net(x[:1]).tolist(), [[-1, -2, -3, 0]])

    def test_outputs_attributes_and_inputs_that_are_left_out(self):
        net = self.load('graph g(a: f32[3], b: f32[3]) -> (s, d) {\n  %s, %d = py::Scaled(%a, %b) {factor = 2, names = ["n"]}\n}')
        ones = np.ones(3, np.float32)
        self.assertEqual({k: v.tolist() for k, v in net(ones, 2 * ones).items()}, {"s": [5, 5, 5], "d": [-3, -3, -3]})
        net = self.load("graph g(a: f32[3]) -> (s, d) {\n  %s, %d = py::Scaled(%a) {flip = 1}\n}")
        self.assertEqual(net(ones)["s"].tolist(), [1, 1, 1])

    def test_any_number_of_inputs_and_sizes_that_keep_their_names(self):
        net = self.load("graph g(a: f32[N], b: f32[N]) -> (y) { %y = py::Stack(%a, %b, %a) }")
        self.assertEqual(net.outputs[0].type, "f32[3, N]")
        self.assertEqual(net(np.ones(2, np.float32), np.zeros(2, np.float32)).tolist(), [[1, 1], [0, 0], [1, 1]])

    def test_shapes_follow_from_a_run_on_zeros(self):
        net = self.load("graph g(x: f32[2, 3, 4]) -> (y) { %y = py::Mean(%x) {axes = [0, 2]} }")
        self.assertEqual(net.outputs[0].type, "f32[3]")
        net = self.load("graph g(x: f32[N, 3, 4]) -> (y) { %y = py::Mean(%x) {axes = [1, 2], keep = 1} }")
        self.assertEqual(net.outputs[0].type, "f32[?, ?, ?]")
        self.assertEqual(net(np.ones((5, 3, 4), np.float32)).shape, (5, 1, 1))

    def test_results_may_depend_on_the_elements(self):
        net = self.load("graph g(x: f32[N]) -> (y) {\n  %p = py::Positive(%x)\n  %y = Neg(%p)\n}")
        self.assertEqual(net(np.array([1, -2, 3], np.float32)).tolist(), [-1, -3])
        self.assertEqual(net(np.array([-1], np.float32)).tolist(), [])

    def test_a_converter_reads_a_layer(self):
        text = ('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 } } }\n'
                'layer { name: "r" type: "PyRoll" bottom: "x" top: "y" py_roll_param { shift: 1 scale: 0.5 } }')
        net = self.load(text, "net.prototxt")
        x = np.arange(8, dtype=np.float32).reshape(2, 4)
        self.assertEqual(net(x).tolist(), (np.roll(x, 1, axis=1) / 2).tolist())

    def test_onnx_and_ath_keep_the_operator(self):
        net = self.load("graph g(x: f32[N, 4]) -> (y) { %y = py::Roll(%x) {shift = 2} }")
        x = np.arange(4, dtype=np.float32).reshape(1, 4)
        with tempfile.TemporaryDirectory() as folder:
            for name in ["m.onnx", "m.ath"]:
                net.save(pathlib.Path(folder, name))
                self.assertEqual(athanor.load(pathlib.Path(folder, name))(x).tolist(), [[2, 3, 0, 1]])

    def test_what_a_function_raises_names_node_and_line(self):
        @athanor.op("py::Fails", infer="same")
        def fails(x):
            raise ValueError(f"not {x.shape}")

        net = self.load("graph g(x: f32[3]) -> (y) { %y = py::Fails(%x) @culprit }")
        with self.assertRaisesRegex(athanor.Error, r'ATH-2301.*"culprit" \(py::Fails\): ValueError: not \(3,\) \(.*python_plugins_test.py:\d+\)'):
            net(np.zeros(3, np.float32))

    def test_a_result_that_was_not_promised_is_refused(self):
        @athanor.op("py::Lies", infer="same")
        def lies(x):
            return x.astype(np.float64)

        net = self.load("graph g(x: f32[3]) -> (y) { %y = py::Lies(%x) }")
        with self.assertRaisesRegex(athanor.Error, r"result 0 is float64\[3\]; float32\[3\] was inferred"):
            net(np.zeros(3, np.float32))
        with self.assertRaisesRegex(athanor.Error, r"2 results; the node has 1 outputs"):
            athanor.op("py::Many", infer=lambda x: (x, x))(lambda x: x)
            self.load("graph g(x: f32[3]) -> (y) { %y = py::Many(%x) }")

    def test_one_defined_again_holds_for_models_loaded_afterwards(self):
        text, x = "graph g(x: f32[2]) -> (y) { %y = py::Again(%x) }", np.ones(2, np.float32)
        athanor.op("py::Again")(lambda x: x + np.float32(1))
        first = self.load(text)
        athanor.op("py::Again")(lambda x: x + np.float32(2))
        self.assertEqual((first(x)[0], self.load(text)(x)[0]), (2, 3))

    def test_definitions_that_make_no_sense_are_refused(self):
        with self.assertRaisesRegex(athanor.Error, "DOMAIN::NAME is expected"):
            athanor.op("Roll")(lambda x: x)
        with self.assertRaisesRegex(TypeError, "annotate it"):
            athanor.op("py::Bad")(lambda x, *, what: x)
        with self.assertRaisesRegex(TypeError, "attributes follow"):
            athanor.op("py::Bad")(lambda x, shift=1: x)
        with self.assertRaisesRegex(athanor.Error, "is read already"):
            athanor.converter("onnx", "ai.onnx", "Relu")(lambda node: node.inputs[0])
        with self.assertRaisesRegex(athanor.Error, "cannot be loaded"):
            athanor.load_plugin(__file__)

    def test_a_node_is_of_no_use_after_its_call(self):
        kept = []

        def keep(node):
            kept.append(node)
            return node.inputs[0]

        athanor.converter("caffe", "Keep")(keep)
        self.load('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }\n'
                  'layer { name: "k" type: "Keep" bottom: "x" top: "y" }\nlayer { name: "r" type: "ReLU" bottom: "y" top: "z" }', "net.prototxt")
        with self.assertRaisesRegex(RuntimeError, "callback is over"):
            kept[0].add("Relu", kept[0].inputs[0])
        kept.clear()

    def test_threads_and_requests_call_python(self):
        net = self.load("graph g(x: f32[N, 4]) -> (y) { %y = py::Roll(%x) }", streams=2)
        x = np.arange(4, dtype=np.float32).reshape(1, 4)
        results = []
        threads = [threading.Thread(target=lambda: results.append(net(x).tolist())) for _ in range(4)]
        for thread in threads:
            thread.start()
        requests = [net.start(x) for _ in range(4)]
        for thread in threads:
            thread.join()
        self.assertEqual(results + [r.result().tolist() for r in requests], [[[3, 0, 1, 2]]] * 8)
        net.start(x)  # is cancelled, and waits for the node that runs


if __name__ == "__main__":
    unittest.main()
