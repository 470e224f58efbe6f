#!/usr/bin/env python3
"""The command line from the outside: exit codes, JSON keys, messages, files, Ctrl-C.

Needs nothing but Python. The binary is $ATHANOR_BIN or the newest of build/*/bin/athanor.
"""
import ast
import json
import os
import pathlib
import select
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import zipfile

from running import ROOT, binary

DIGITS = ROOT / "examples" / "digits"
MODEL = DIGITS / "digits.onnx"


def athanor(*arguments, **options):
    return subprocess.run([binary(), *map(str, arguments)], capture_output=True, text=True,
                          timeout=300, **options)


def document(test, *arguments, code=0):
    """Runs with --json and gives the one document on stdout."""
    run = athanor(*arguments, "--json")
    test.assertEqual(run.returncode, code, run.stderr)
    result = json.loads(run.stdout)
    test.assertEqual(result["schema_version"], 1)
    return result


# --- small files ---------------------------------------------------------------------------------

def npy(descr, shape, data):
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def read_npy(data):
    length = struct.unpack("<H", data[8:10])[0]
    header = ast.literal_eval(data[10:10 + length].decode())
    count = 1
    for dim in header["shape"]:
        count *= dim
    return header["shape"], struct.unpack(f"<{count}f", data[10 + length:])


def field(number, value):
    """One protobuf field: bytes and text length-delimited, integers as varints."""
    def varint(n):
        out = b""
        while n > 127:
            out += bytes([n & 127 | 128])
            n >>= 7
        return out + bytes([n])
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def port(name, shape):
    dims = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def onnx_model(nodes, inputs, outputs):
    """nodes: (operator, inputs, outputs); inputs, outputs: (name, shape), all float32."""
    graph = b"".join(
        field(1, b"".join(field(1, i) for i in ins) + b"".join(field(2, o) for o in outs) +
              field(3, f"n{k}") + field(4, op))
        for k, (op, ins, outs) in enumerate(nodes))
    graph += field(2, "g")
    graph += b"".join(field(11, port(*i)) for i in inputs)
    graph += b"".join(field(12, port(*o)) for o in outputs)
    return field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 17))


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return path

    def add_model(self, shape=("N", 2)):
        return self.file("add.onnx", onnx_model([("Add", ["a", "b"], ["sum"])],
                                                [("a", shape), ("b", shape)], [("sum", shape)]))


# --- tests ---------------------------------------------------------------------------------------

class Usage(Case):
    def test_no_arguments_gives_a_short_welcome(self):
        run = athanor()
        self.assertEqual(run.returncode, 0)
        self.assertLessEqual(len(run.stdout.splitlines()), 14)
        self.assertTrue(run.stdout.splitlines()[-1].startswith("next: athanor"))

    def test_every_verb_has_help_with_an_example(self):
        listing = athanor("--help").stdout
        for verb in ["doctor", "inspect", "run", "bench", "profile", "explain", "compare", "eval",
                     "convert", "optimize", "conformance"]:
            self.assertIn(verb, listing)
            run = athanor(verb, "--help")
            self.assertEqual(run.returncode, 0)
            self.assertIn(f"athanor {verb}", run.stdout.split("Example:")[1])

    def test_a_wrong_verb_is_corrected(self):
        run = athanor("inspct", MODEL)
        self.assertEqual(run.returncode, 1)
        self.assertIn('ATH-1002', run.stderr)
        self.assertIn('did you mean "inspect"?', run.stderr)

    def test_a_wrong_option_is_corrected(self):
        run = athanor("run", MODEL, "--labls", "x")
        self.assertEqual(run.returncode, 1)
        self.assertIn('did you mean "--labels"?', run.stderr)

    def test_a_missing_argument_is_a_usage_error(self):
        run = athanor("inspect")
        self.assertEqual(run.returncode, 1)
        self.assertIn("ATH-1001", run.stderr)

    def test_errors_are_one_json_document_too(self):
        error = document(self, "inspect", self.folder / "none.onnx", code=1)["error"]
        self.assertEqual(error["code"], "ATH-1004")

    def test_explain_tells_the_long_story_of_a_code(self):
        run = athanor("explain", "ATH-2103")
        self.assertEqual(run.returncode, 1)
        run = athanor("explain", "ath-2101")
        self.assertEqual(run.returncode, 0)
        self.assertIn("exit code 2", run.stdout)

    def test_broken_models_exit_with_2(self):
        for data in [b"", b"not a model", MODEL.read_bytes()[:5000]]:
            run = athanor("inspect", self.file("broken.onnx", data))
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn("error ATH-2", run.stderr)

    def test_an_unknown_operator_is_named(self):
        path = self.file("odd.onnx", onnx_model([("Frobnicate", ["x"], ["y"])], [("x", (1,))],
                                                [("y", (1,))]))
        run = athanor("run", path, "random")
        self.assertEqual(run.returncode, 2)
        self.assertIn("Frobnicate", run.stderr)

    def test_piped_output_has_no_escape_codes(self):
        run = athanor("inspect", MODEL, env={**os.environ, "TERM": "xterm-256color"})
        self.assertNotIn("\x1b", run.stdout + run.stderr)


class Doctor(Case):
    def test_measures_this_machine(self):
        result = document(self, "doctor")
        self.assertGreater(result["read_bandwidth_gb_per_s"], 0.1)
        self.assertGreater(result["peak_gflops"], 1)
        self.assertIn("athanor", result["versions"])


class Inspect(Case):
    def test_json_has_the_agreed_keys(self):
        result = document(self, "inspect", MODEL)
        self.assertEqual(result["inputs"],
                         [{"name": "image", "dtype": "f32", "shape": ["N", 1, 32, 32]}])
        self.assertEqual(result["outputs"][0]["name"], "logits")
        self.assertEqual(result["ops"]["Gemm"], 1)
        figures = json.loads((DIGITS / "digits.json").read_text())
        # digits.json counts Conv and Gemm only; the rest adds a few percent.
        self.assertGreaterEqual(result["flops"], figures["flops"])
        self.assertLess(result["flops"], 1.1 * figures["flops"])
        self.assertTrue(result["feasible"])

    def test_trees_count_as_parameters_and_work(self):
        result = document(self, "inspect", ROOT / "examples" / "tabular" / "fraud.onnx")
        # At least one threshold and one leaf a tree, and one comparison of it.
        self.assertGreater(result["params"], 100)
        self.assertGreater(result["flops"], 100)
        self.assertLessEqual(result["flops"], 60 * (4 + 1))  # 60 trees of depth 4
        self.assertEqual(result["flops_unknown_nodes"], 0)

    def test_set_dim_changes_the_shape_and_corrects_names(self):
        result = document(self, "inspect", MODEL, "--set-dim", "N=4")
        self.assertEqual(result["inputs"][0]["shape"], [4, 1, 32, 32])
        run = athanor("inspect", MODEL, "--set-dim", "M=4")
        self.assertEqual(run.returncode, 1)
        run = athanor("inspect", MODEL, "--set-dim", "N=x")
        self.assertIn("--set-dim N=x: SYMBOL=NUMBER is expected", run.stderr)


    def test_verify_finds_a_weight_that_changed(self):
        path = self.folder / "digits.ath"
        self.assertEqual(athanor("convert", MODEL, "-o", path).returncode, 0)
        self.assertTrue(document(self, "inspect", path, "--verify")["weights_verified"])
        data = bytearray(path.read_bytes())
        data[-64] ^= 1  # of the last weight
        path.write_bytes(data)
        self.assertFalse(document(self, "inspect", path)["weights_verified"])
        for verb in (["inspect"], ["run", "random"]):
            run = athanor(verb[0], path, *verb[1:], "--verify")
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn("ATH-2002", run.stderr)
            self.assertIn("digits.ath: weight", run.stderr)

    def test_verify_needs_digests(self):
        run = athanor("inspect", MODEL, "--verify")
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertIn("onnx files hold no digests", run.stderr)


class Run(Case):
    def test_a_picture_gives_its_class(self):
        run = athanor("run", MODEL, DIGITS / "images" / "7_0174.png", "--std", 255, "--labels",
                      DIGITS / "labels.txt")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertTrue(run.stdout.splitlines()[-1].startswith("next: athanor"))
        result = document(self, "run", MODEL, DIGITS / "images" / "7_0174.png", "--std", 255)
        self.assertEqual(result["outputs"][0]["top"][0]["class"], 7)

    def test_golden_arrays_give_the_recorded_logits_on_both_devices(self):
        with zipfile.ZipFile(DIGITS / "golden.npz") as golden:
            _, expected = read_npy(golden.read("logits.npy"))
        for device in ["reference", "cpu"]:
            out = self.folder / f"{device}.npz"
            document(self, "run", MODEL, DIGITS / "golden.npz", "--save", out, "--device", device)
            with zipfile.ZipFile(out) as saved:
                self.assertEqual(saved.namelist(), ["logits.npy"])
                shape, actual = read_npy(saved.read("logits.npy"))
            self.assertEqual(shape, (16, 10))
            for a, b in zip(actual, expected):
                self.assertAlmostEqual(a, b, delta=1e-3 + 1e-3 * abs(b))

    def test_named_and_unnamed_arrays_fill_the_inputs(self):
        model = self.add_model()
        a = self.file("a.npy", npy("<f4", (1, 2), struct.pack("<2f", 1, 2)))
        b = self.file("b.npy", npy("<f8", (1, 2), struct.pack("<2d", 10, 20)))
        for inputs in [["--input", f"b={b}", "--input", f"a={a}"], [a, b], ["-i", f"b={b}", a]]:
            result = document(self, "run", model, *inputs)
            self.assertEqual(result["outputs"][0]["values"], [11.0, 22.0])

    def test_wrong_inputs_say_what_is_expected(self):
        model = self.add_model()
        a = self.file("a.npy", npy("<f4", (1, 3), struct.pack("<3f", 1, 2, 3)))
        run = athanor("run", model, f"--input=aa={a}")
        self.assertEqual(run.returncode, 1)
        self.assertIn('no input "aa" (did you mean "a"?); it has: a, b', run.stderr)
        run = athanor("run", model, a)
        self.assertEqual(run.returncode, 1)
        self.assertIn("fix: --input b=FILE", run.stderr)
        run = athanor("run", model, a, a)
        self.assertEqual(run.returncode, 1)
        self.assertIn('"a"', run.stderr)

    def test_random_is_seeded(self):
        model = self.add_model()
        one, same, other = (document(self, "run", model, "random", "--seed", s)["outputs"]
                            for s in (1, 1, 2))
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)

    def test_a_folder_runs_every_picture(self):
        out = self.folder / "out.npz"
        result = document(self, "run", MODEL, DIGITS / "images", "--std", 255, "--save", out)
        self.assertEqual(len(result["runs"]), 40)
        with zipfile.ZipFile(out) as saved:
            self.assertEqual(read_npy(saved.read("logits.npy"))[0], (40, 10))

    def test_an_array_of_pickles_is_refused(self):
        bad = self.file("bad.npy", npy("|O", (1,), b"x"))
        run = athanor("run", self.add_model(), bad, bad)
        self.assertEqual(run.returncode, 1)
        self.assertIn("pickled Python objects", run.stderr)

    def test_a_damaged_input_file_is_not_the_models_fault(self):
        picture = (DIGITS / "images" / "7_0174.png").read_bytes()
        archive = (DIGITS / "golden.npz").read_bytes()
        array = npy("<f4", (1, 2), struct.pack("<2f", 1, 2))
        damaged = {
            "cut.png": picture[:len(picture) // 2], "cut.npy": array[:-3], "cut.npz": archive[:100],
            "zeros.npz": bytes(1000), "text.png": b"no picture", "empty.png": b"", "empty.npy": b"",
            "words.csv": b"a,b\nx,y\n", "ragged.csv": b"1,2\n3\n", "cut.wav": b"RIFF\0\0\0\0WAVE",
        }
        for name, data in damaged.items():
            with self.subTest(name):
                run = athanor("run", MODEL, self.file(name, data))
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertIn("error ATH-1003 [input]", run.stderr)
                self.assertIn(name, run.stderr)

    def test_a_result_that_cannot_be_written_is_an_error(self):
        run = athanor("run", self.add_model(), "random", "--save", self.folder / "no" / "x.npz")
        self.assertEqual(run.returncode, 1)
        self.assertIn("ATH-1005", run.stderr)


    def test_only_regular_files_are_replaced_and_links_are_followed(self):
        model = self.add_model()
        pipe, link, real = (self.folder / name for name in ("pipe.npz", "link.npz", "real.npz"))
        os.mkfifo(pipe)
        run = athanor("run", model, "random", "--save", pipe)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("ATH-1005", run.stderr)
        self.assertTrue(pipe.is_fifo())
        link.symlink_to("real.npz")
        run = athanor("run", model, "random", "--save", link)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertTrue(link.is_symlink())
        self.assertTrue(zipfile.is_zipfile(real))
        self.assertEqual(list(self.folder.glob("*.partial*")), [])

    def test_results_that_stdout_does_not_take_are_an_error(self):
        run = subprocess.run(["sh", "-c", '"$0" inspect "$1" >&-', binary(), str(MODEL)],
                             capture_output=True, text=True, timeout=60)
        self.assertEqual(run.returncode, 1)
        self.assertIn("ATH-1005", run.stderr)


class DumpIr(Case):
    def test_convert_prints_the_graph_after_import(self):
        out = self.folder / "digits.ath"
        run = athanor("convert", MODEL, "-o", out, "--dump-ir", "after:import")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("= Conv(", run.stdout)
        self.assertTrue(out.exists())
        run = athanor("convert", MODEL, "-o", out, "--dump-ir", "after:fold")
        self.assertEqual(run.returncode, 1)
        self.assertIn("after:import", run.stderr)

    def test_optimize_stops_after_the_named_pass(self):
        before = athanor("optimize", MODEL, "--dump-ir", "after:import")
        after = athanor("optimize", MODEL, "--dump-ir", "after:fold-linear")
        for run in (before, after):
            self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("BatchNormalization", before.stdout)
        self.assertNotIn("BatchNormalization", after.stdout)
        run = athanor("optimize", MODEL, "--dump-ir", "after:fold-linaer")
        self.assertEqual(run.returncode, 1)
        self.assertIn('did you mean "fold-linear"', run.stderr)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_stage_is_asked_for_by_after(self):
        run = athanor("optimize", MODEL, "--dump-ir", "import")
        self.assertEqual(run.returncode, 1)
        self.assertIn("after:STAGE is expected", run.stderr)


class OpenDimensions(Case):
    """A symbol counts as 1 when nobody says more; that may not fit the model."""

    def product(self, rows):
        return self.file("product.onnx", onnx_model([("MatMul", ["a", "b"], ["c"])],
                                                    [("a", ("N", "K")), ("b", (rows, 2))], [("c", ("N", 2))]))

    def test_the_error_carries_the_set_dim_that_fits(self):
        model = self.product(4)
        for verb in (["run"], ["explain"]):
            run = athanor(*verb, model)
            self.assertEqual(run.returncode, 2, run.stdout)
            self.assertIn("fix: --set-dim K=4 (counted as 1: K, N)", run.stderr)
        self.assertEqual(athanor("run", model, "--set-dim", "K=4").returncode, 0)

    def test_parity_is_checked_with_sizes_that_fit(self):
        result = document(self, "convert", self.product(4), "-o", self.folder / "out.ath")
        self.assertTrue(result["parity"]["pass"])

    def test_a_conversion_whose_parity_cannot_be_checked_says_so(self):
        result = document(self, "convert", self.product(3), "-o", self.folder / "out.ath")
        self.assertIsNone(result["parity"]["pass"])
        self.assertIn("--set-dim", result["parity"]["not_checked"])


class Remarks(Case):
    def test_a_run_without_input_says_that_it_is_random(self):
        self.assertIn("no input is given: seeded random values", athanor("run", MODEL).stderr)
        self.assertNotIn("no input is given", athanor("run", MODEL, "random").stderr)

    def test_labels_of_another_model_are_noticed(self):
        labels = self.file("labels.txt", b"cat\ndog\n")
        run = athanor("run", MODEL, "random", "--labels", labels)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("names 2 classes, output \"logits\" has 10", run.stderr)
        run = athanor("run", MODEL, "random", "--labels", DIGITS / "labels.txt")
        self.assertNotIn("names may be wrong", run.stderr)


class Documents(Case):
    def test_demo_and_zoo_print_one_document(self):
        self.assertTrue(document(self, "zoo")["models"])
        result = document(self, "demo", "--fast", "--out", self.folder / "demo")
        self.assertEqual(len(result["legs"]), 12)


class Compare(Case):
    def test_tolerances_are_numbers_of_0_or_more(self):
        for value in ("-1", "nan"):
            run = athanor("compare", MODEL, MODEL, f"--rtol={value}")
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn("ATH-1001", run.stderr)

    def test_a_model_may_be_compared_with_itself(self):
        self.assertTrue(document(self, "compare", MODEL, MODEL)["pass"])

    def test_a_model_agrees_with_itself_on_the_other_device(self):
        result = document(self, "compare", MODEL, "--device-b", "reference")
        self.assertTrue(result["pass"])
        self.assertGreaterEqual(set(result["outputs"][0]), {"name", "max_abs", "rel_l2", "cosine"})

    def test_different_models_exit_with_3(self):
        add = self.add_model()
        mul = self.file("mul.onnx", onnx_model([("Mul", ["a", "b"], ["sum"])],
                                               [("a", ("N", 2)), ("b", ("N", 2))],
                                               [("sum", ("N", 2))]))
        result = document(self, "compare", add, mul, code=3)
        self.assertFalse(result["pass"])
        self.assertTrue(document(self, "compare", add, add, "--device-b", "reference")["pass"])


class Eval(Case):
    FLAGS = ["--data", DIGITS, "--labels", DIGITS / "labels.csv", "--std", 255]

    def test_every_recorded_picture_is_right(self):
        result = document(self, "eval", MODEL, *self.FLAGS)
        self.assertEqual((result["metric"], result["value"], result["n"]), ("top1", 1.0, 40))

    def test_the_gate_exits_with_3(self):
        labels = self.file("labels.csv", b"filename,class\nimages/7_0174.png,6\n")
        result = document(self, "eval", MODEL, "--data", DIGITS, "--labels", labels, "--std", 255,
                          "--min", 0.5, code=3)
        self.assertFalse(result["pass"])

    def test_the_gate_is_a_share(self):
        run = athanor("eval", MODEL, *self.FLAGS, "--min", 1.01)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("ATH-1001", run.stderr)

    def test_rows_without_a_file_are_counted_and_ignored(self):
        labels = self.file("labels.csv",
                           b"filename,class\nimages/7_0174.png,7\nimages/none.png,1\n")
        result = document(self, "eval", MODEL, "--data", DIGITS / "images", "--labels", labels,
                          "--std", 255)
        self.assertEqual((result["n"], result["ignored"]), (1, 1))


class Quantize(Case):
    FLAGS = ["--calib", DIGITS / "calib.npz", "--std", 255]

    def test_digits_keep_their_accuracy_and_the_file_is_always_the_same(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second = pathlib.Path(folder, "a.ath"), pathlib.Path(folder, "b.ath")
            result = document(self, "quantize", MODEL, *self.FLAGS, "--data", DIGITS / "heldout.npz",
                              "--max-drop", "1%", "-o", first)
            self.assertTrue(result["pass"])
            self.assertEqual(result["n"], 360)
            self.assertGreaterEqual(result["agreement"], 0.98)
            self.assertLess(result["int8"]["bytes"], result["float"]["bytes"] / 2)
            self.assertEqual(result["float_products"], [])
            document(self, "quantize", MODEL, *self.FLAGS, "--threads", 1, "-o", second)
            self.assertEqual(first.read_bytes(), second.read_bytes())
            # The saved file holds pairs and runs wherever a model runs.
            ops = document(self, "inspect", first)["ops"]
            self.assertGreater(ops["QuantizeLinear"], 5)
            document(self, "compare", first, first, "--device-b", "reference", "--atol", 0.5)

    def test_a_drop_beyond_the_gate_exits_with_3(self):
        # Calibrated on black pictures, ranges are far too narrow.
        self.file("black.npy", npy("<f4", (1, 1, 32, 32), bytes(4096)))
        result = document(self, "quantize", MODEL, "--calib", self.folder, "--std", 255, "--data",
                          DIGITS / "heldout.npz", "--max-drop", "1%", "-o", self.folder / "x.ath", code=3)
        self.assertFalse(result["pass"])

    def test_wrong_requests_say_what_is_expected(self):
        out = self.folder / "x.ath"
        for arguments, text in [
                (["--calib", "none"], "a folder of pictures or arrays, or an .npz file"),
                ([*self.FLAGS, "--max-drop", "1%"], "--max-drop needs --data"),
                ([*self.FLAGS, "--max-drop", "much", "--data", DIGITS / "heldout.npz"], "1% or 0.01"),
                ([*self.FLAGS, "--data", DIGITS / "calib.npz"], 'no array "labels"'),
                ([*self.FLAGS, "--data", DIGITS], "a folder with --labels")]:
            run = athanor("quantize", MODEL, *arguments, "-o", out)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(text, run.stderr)


class Train(Case):
    FLAGS = ["--data", DIGITS / "train.npz", "--std", 255, "--from-scratch", "--epochs", 2, "--seed", 7]

    def test_learns_and_the_same_seed_gives_the_same_file(self):
        with tempfile.TemporaryDirectory() as folder:
            first, second = pathlib.Path(folder, "a.ath"), pathlib.Path(folder, "b.ath")
            held_out = ["--held-out", DIGITS / "heldout.npz", "--min", 0.7]
            result = document(self, "train", MODEL, *self.FLAGS, *held_out, "-o", first)
            self.assertEqual(len(result["epochs"]), 2)
            self.assertLess(result["epochs"][1]["loss"], result["epochs"][0]["loss"])
            document(self, "train", MODEL, *self.FLAGS, "--threads", 1, "-o", second)
            self.assertEqual(first.read_bytes(), second.read_bytes())

    def test_one_instruction_set_gives_one_file_whatever_the_threads(self):
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder, name) for name in ("one.ath", "two.ath")]
            for threads, path in enumerate(paths, 1):
                document(self, "train", DIGITS / "digits.txt", *self.FLAGS, "--isa", "base", "--threads", threads, "-o", path)
            self.assertEqual(*(path.read_bytes() for path in paths))

    @unittest.skipUnless("avx2" in pathlib.Path("/proc/cpuinfo").read_text(), "the recipe is for processors with AVX2")
    def test_the_recipe_gives_the_committed_model(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "digits.onnx")
            run = subprocess.run([DIGITS / "train.sh", path], capture_output=True, text=True, check=False,
                                 env={**os.environ, "PATH": f"{pathlib.Path(binary()).parent}:{os.environ['PATH']}"})
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(path.read_bytes(), MODEL.read_bytes())

    def test_held_out_labels_fit_their_pictures(self):
        arrays = self.folder / "few.npz"
        with zipfile.ZipFile(arrays, "w") as archive:
            archive.writestr("pixels.npy", npy("|u1", (2, 32, 32), bytes(2048)))
            archive.writestr("labels.npy", npy("|u1", (1,), bytes(1)))
        run = athanor("train", MODEL, *self.FLAGS, "--held-out", arrays, "-o", self.folder / "x.ath")
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("2 pictures and 1 labels", run.stderr)

    def test_a_gate_needs_pictures_to_judge_by(self):
        run = athanor("train", MODEL, *self.FLAGS, "--min", 0.5, "-o", "x.ath")
        self.assertEqual(run.returncode, 1)
        self.assertIn("--held-out", run.stderr)

    def test_a_wrong_array_is_named(self):
        run = athanor("train", MODEL, "--data", DIGITS / "calib.npz", "-o", "x.ath")
        self.assertEqual(run.returncode, 1)
        self.assertIn('no array "labels"', run.stderr)


class Tune(Case):
    def test_times_lie_beside_the_model_and_decide(self):
        model = self.file("digits.onnx", MODEL.read_bytes())
        result = document(self, "tune", model, "--threads", 1, "--budget", 20)
        self.assertEqual(result["output"], f"{model}.athplan")
        self.assertGreater(result["steps_measured"], 0)
        self.assertEqual(result["times"], result["new_times"])
        steps = document(self, "explain", model, "--threads", 1)["steps"]
        measured = [s for s in steps if any("measured_us" in c for c in s["candidates"])]
        self.assertEqual(len(measured), result["steps_measured"])
        for step in measured:
            times = [c["measured_us"] for c in step["candidates"] if "measured_us" in c]
            self.assertEqual(min(times), step["candidates"][0]["measured_us"])
            self.assertEqual(step["kernel"], step["candidates"][0]["kernel"])
        again = document(self, "tune", model, "--threads", 1, "--budget", 20)
        self.assertEqual(again["new_times"], 0)

    def test_a_damaged_cache_is_named_and_ignored(self):
        model = self.file("digits.onnx", MODEL.read_bytes())
        self.file("digits.onnx.athplan", b"0123456789abcdef\nathplan 1\n")
        run = athanor("run", model, "random")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("digits.onnx.athplan: it is damaged", run.stderr)

    def test_a_cache_asked_for_by_name_must_exist(self):
        run = athanor("run", MODEL, "random", "--plan-cache", self.folder / "none.athplan")
        self.assertEqual(run.returncode, 1)
        self.assertIn("none.athplan", run.stderr)

    def test_strict_keeps_winograd_away(self):
        steps = document(self, "explain", MODEL, "--strict", "--all")["steps"]
        for step in steps:
            for candidate in step["candidates"]:
                if "winograd" in candidate["kernel"]:
                    self.assertFalse(candidate["fits"])


class Bench(Case):
    def test_json_has_the_agreed_keys(self):
        result = document(self, "bench", MODEL, "--time", 0.2, "--threads", 1, "--batch", 2)
        self.assertEqual(set(result["latency_ms"]), {"min", "median", "p90", "p99"})
        for key in ["throughput_per_s", "threads", "streams", "batch", "precision", "peak_rss_mb",
                    "energy_j_per_run"]:
            self.assertIn(key, result)
        self.assertEqual((result["batch"], result["threads"]), (2, 1))
        self.assertLessEqual(result["latency_ms"]["min"], result["latency_ms"]["p99"])

    def test_throughput_uses_several_streams(self):
        result = document(self, "bench", MODEL, "--time", 0.2, "--goal", "throughput")
        self.assertEqual(result["streams"], len(os.sched_getaffinity(0)))

    def test_profile_adds_up(self):
        for device in ["reference", "cpu"]:
            result = document(self, "profile", MODEL, "--device", device)
            self.assertAlmostEqual(sum(n["ms"] for n in result["nodes"]), result["total_ms"], 6)
            self.assertGreater(len(result["nodes"]), 3)


class Conformance(Case):
    def suite(self):
        test = self.folder / "suite" / "test_ok"
        (test / "test_data_set_0").mkdir(parents=True)
        (test / "model.onnx").write_bytes(onnx_model([("Relu", ["x"], ["y"])], [("x", (2,))],
                                                     [("y", (2,))]))
        def tensor(values):
            return field(1, 2) + field(2, 1) + field(9, struct.pack("<2f", *values))
        (test / "test_data_set_0" / "input_0.pb").write_bytes(tensor([-1, 2]))
        (test / "test_data_set_0" / "output_0.pb").write_bytes(tensor([0, 2]))
        wrong = self.folder / "suite" / "test_wrong"
        wrong.mkdir()
        (wrong / "model.onnx").write_bytes(b"broken")
        return self.folder / "suite"

    def test_counts_and_names_failures(self):
        result = document(self, "conformance", self.suite(), "--device", "reference", code=3)
        self.assertEqual((result["passed"], result["failed"], result["skipped"]), (1, 1, 0))
        self.assertEqual(result["failures"][0]["test"], "test_wrong")

    def test_exempt_tests_are_skipped(self):
        exempt = self.file("exempt.txt", b"# known\ntest_wrong  # not a model\n")
        result = document(self, "conformance", self.suite(), "--device", "reference", "--exempt",
                          exempt)
        self.assertEqual((result["passed"], result["failed"], result["skipped"]), (1, 0, 1))


class Interrupt(Case):
    def test_ctrl_c_ends_at_once_and_leaves_no_file(self):
        out = self.folder / "out.npz"
        process = subprocess.Popen([binary(), "bench", str(MODEL), "--time", "60"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 4)
        self.assertIn("ATH-4003", errors)
        self.assertFalse(out.exists())
        # More than a second of work was told about.
        self.assertIn("bench", errors)


    def test_ctrl_c_in_the_middle_of_a_write_removes_the_part(self):
        # The part is a pipe made under the name the process is about to open, so that the process
        # stands still in the middle of the write for as long as nobody reads on.
        model = self.folder / "big.onnx"
        self.assertEqual(athanor("zoo", "squeezenet1_1", "-o", model).returncode, 0)
        for out in ("big.ath", "again.onnx"):
            target = self.folder / out
            target.write_bytes(b"what was there before")

            def make_pipe(target=target):
                os.mkfifo(f"{target}.partial.{os.getpid()}.0")

            process = subprocess.Popen([binary(), "convert", str(model), "-o", str(target)],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       preexec_fn=make_pipe)
            part = pathlib.Path(f"{target}.partial.{process.pid}.0")
            reader = os.open(part, os.O_RDONLY | os.O_NONBLOCK)
            try:
                self.assertTrue(select.select([reader], [], [], 60)[0], "nothing is written")
                process.send_signal(signal.SIGINT)
                _, errors = process.communicate(timeout=60)
            finally:
                os.close(reader)
            self.assertEqual(process.returncode, 4, errors)
            self.assertIn("ATH-4003", errors)
            self.assertFalse(part.exists())
            self.assertEqual(target.read_bytes(), b"what was there before")
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()),
                         ["again.onnx", "big.ath", "big.onnx"])


if __name__ == "__main__":
    unittest.main()
