#!/usr/bin/env python3
"""The Python package from the outside. Run by tests/run.py in the environment where it is installed."""
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy as np

import athanor

ROOT = pathlib.Path(__file__).resolve().parent.parent
DIGITS = ROOT / "examples" / "digits"


class PythonApi(unittest.TestCase):
    def setUp(self):
        self.golden = np.load(DIGITS / "golden.npz")

    def test_two_lines_give_the_answer_onnxruntime_gives(self):
        net = athanor.load(DIGITS / "digits.onnx")
        logits = net(self.golden["image"])
        self.assertTrue(athanor.compare(logits, self.golden["logits"]).passed)

    def test_outputs_share_memory_and_outlive_the_model(self):
        logits = athanor.load(DIGITS / "digits.onnx")(self.golden["image"])
        self.assertFalse(logits.flags["OWNDATA"])
        self.assertEqual(logits.shape, self.golden["logits"].shape)

    def test_outputs_are_written_to_the_callers_arrays(self):
        net = athanor.load(DIGITS / "digits.onnx")
        image, logits = self.golden["image"], np.zeros_like(self.golden["logits"])
        net.run_into({"image": image}, {"logits": logits})
        np.testing.assert_array_equal(logits, net(image))
        with self.assertRaisesRegex(athanor.Error, 'output "logits" is f32'):
            net.run_into({"image": image}, {"logits": logits[:, :9].copy()})
        for wrong in ({}, {"logits": logits.T}, {"logit": logits}):
            with self.assertRaisesRegex(ValueError, r"one for each of \['logits'\]"):
                net.run_into({"image": image}, wrong)

    def test_inputs_by_name_and_a_wrong_name_is_corrected(self):
        net = athanor.load(DIGITS / "digits.onnx")
        self.assertTrue(np.array_equal(net(image=self.golden["image"]), net(self.golden["image"])))
        with self.assertRaisesRegex(ValueError, 'did you mean "image"'):
            net(imgae=self.golden["image"])

    def test_trace_records_with_torch_or_says_that_it_is_missing(self):
        try:
            import torch
        except ImportError:
            with self.assertRaisesRegex(ImportError, "pip install torch"):
                athanor.trace(None, None)
            return
        module, x = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Dropout(), torch.nn.ReLU()), torch.randn(2, 4)
        net = athanor.trace(module, x)
        self.assertTrue(module.training)
        self.assertTrue(athanor.compare(net(x.numpy()), module.eval()(x).detach().numpy()).passed)

    def test_a_wrong_element_type_is_an_error_that_names_the_input(self):
        net = athanor.load(DIGITS / "digits.onnx")
        with self.assertRaisesRegex(athanor.Error, "image"):
            net(self.golden["image"].astype(np.float64))

    def test_arrays_of_any_layout_and_address_are_taken(self):
        pixels = np.random.default_rng(0).random((1, 1, 32, 32), np.float32)
        odd = np.zeros(pixels.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(pixels.shape)
        odd[...] = pixels
        net = athanor.load(DIGITS / "digits.onnx")
        expected = net(pixels)
        for array in (odd, np.asfortranarray(pixels), pixels[..., ::-1][..., ::-1]):
            np.testing.assert_array_equal(net(array), expected)
            np.testing.assert_array_equal(net.start(array).result(), expected)
        with self.assertRaisesRegex(TypeError, "image"):
            net(pixels.astype(">f4"))
        with self.assertRaisesRegex(athanor.Error, "f64"):
            net(pixels.tolist())

    def test_a_missing_file_is_an_error_with_a_number(self):
        with self.assertRaisesRegex(athanor.Error, "ATH-1004"):
            athanor.load("no-such-file.onnx")

    def test_inspect_describes_the_model(self):
        facts = athanor.inspect(DIGITS / "digits.onnx")
        self.assertEqual(facts["inputs"][0]["type"], "f32[N, 1, 32, 32]")
        self.assertGreater(facts["params"], 40000)

    def test_threads_may_share_a_model(self):
        net = athanor.load(DIGITS / "digits.onnx")
        expected, results = net(self.golden["image"]), [None] * 4

        def work(slot):
            results[slot] = net(self.golden["image"])

        threads = [threading.Thread(target=work, args=(slot,)) for slot in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            self.assertTrue(np.array_equal(result, expected))

    def test_requests_run_beside_the_caller(self):
        net = athanor.load(DIGITS / "digits.onnx", threads=1, streams=2)
        expected = net(self.golden["image"])
        requests = [net.start(self.golden["image"]) for _ in range(6)]
        for request in requests:
            self.assertTrue(np.array_equal(request.result(), expected))
            self.assertTrue(request.wait(0))

    def test_a_cached_model_answers_as_any_other(self):
        pixels = np.linspace(0, 1, 1024, dtype=np.float32).reshape(1, 1, 32, 32)
        expected = athanor.load(DIGITS / "digits.onnx")(pixels)
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(2):  # makes the file, then maps it
                np.testing.assert_array_equal(athanor.load(DIGITS / "digits.onnx", cache=folder)(pixels), expected)
            self.assertEqual([path.suffix for path in pathlib.Path(folder).iterdir()], [".athcache"])

    def test_one_name_may_stand_for_several_devices(self):
        expected = athanor.load(DIGITS / "digits.onnx", threads=1)(self.golden["image"])
        for device in ["MULTI:cpu.0,cpu", "HETERO:cpu,reference"]:
            net = athanor.load(DIGITS / "digits.onnx", device=device, threads=1)
            requests = [net.start(self.golden["image"]) for _ in range(4)]
            for request in requests:
                self.assertTrue(np.array_equal(request.result(), expected))
        with self.assertRaisesRegex(athanor.Error, "did you mean \"HETERO\""):
            athanor.load(DIGITS / "digits.onnx", device="HETRO:cpu,reference")

    def test_a_request_ends_at_its_deadline_or_when_it_is_cancelled(self):
        net = athanor.load("zoo:resnet18", threads=1)
        image = np.ones((1, 3, 224, 224), np.float32)
        running, late, unwanted = net.start(image), net.start(image, deadline=1e-6), net.start(image)
        unwanted.cancel()
        for request, code in [(unwanted, "ATH-4003"), (late, "ATH-4002")]:
            with self.assertRaisesRegex(athanor.Error, code):
                request.result()
        self.assertEqual(running.result().shape, (1, 1000))

    def test_a_package_answers_as_json_and_as_tensors(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "digits.athpkg"
            subprocess.run(["athanor", "pack", DIGITS / "pipeline.yaml", "-o", path], check=True, capture_output=True)
            self.assertTrue(athanor.is_package(path))
            self.assertFalse(athanor.is_package(DIGITS / "digits.onnx"))
            package = athanor.open_package(path)
        self.assertEqual((package.input.type, package.is_batchable), ("string[N]", True))
        self.assertEqual([info.name for info in package.outputs], ["class", "label", "score"])
        pictures = [DIGITS / "images" / name for name in ("3_0389.png", "7_0174.png")]
        answers = package.run_all(pictures)
        for picture, answer in zip(pictures, answers):
            classes = package(picture)["classes"]
            self.assertEqual(answer["label"], [c["label"] for c in classes])
            np.testing.assert_array_equal(answer["class"], [[c["class"] for c in classes]])
            np.testing.assert_allclose(answer["score"], [[c["score"] for c in classes]], rtol=1e-5)
            self.assertEqual(answer["label"][0], picture.name[0])
        np.testing.assert_array_equal(package.run(pictures[0].read_bytes())["class"], answers[0]["class"])
        with self.assertRaisesRegex(athanor.Error, "picture 1"):
            package.run_all([pictures[0], b"no picture"])

    def test_a_name_that_is_no_text_is_found_by_what_stands_for_it(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "bytes.txt"
            path.write_text(r'''graph g("x\xff": f32[2]) -> ("y\xfe") { %"y\xfe" = Relu(%"x\xff") }''')
            net = athanor.load(path)
        self.assertEqual([net.inputs[0].name, net.outputs[0].name], ["x\udcff", "y\udcfe"])
        answer = net.run({"x\udcff": np.array([-1, 2], np.float32)})
        np.testing.assert_array_equal(answer["y\udcfe"], [0, 2])

    def test_compare_sees_a_difference(self):
        difference = athanor.compare([1.0, 2.0], [1.0, 2.5])
        self.assertFalse(difference.passed)
        self.assertAlmostEqual(difference.max_abs, 0.5)


if __name__ == "__main__":
    sys.exit(unittest.main())
