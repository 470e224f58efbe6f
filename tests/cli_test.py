#!/usr/bin/env python3
"""The command line from the outside: exit codes, JSON keys, messages, files, Ctrl-C.

Needs nothing but Python. The binary is $ATHANOR_BIN or the newest of build/*/bin/athanor.
"""
import ast
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import tempfile
import unittest
import zipfile

from running import ROOT, binary

DIGITS = ROOT / "examples" / "digits"
MODEL = DIGITS / "digits.onnx"


def athanor(*arguments, **options):
    """The program, which is found on the path by its name."""
    program = pathlib.Path(binary()).resolve()
    options.setdefault("env", {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"})
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=300,
                          check=False, **options)


def document(test, *arguments, code=0, **options):
    """Runs with --json and gives the one document on stdout."""
    run = athanor(*arguments, "--json", **options)
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


def port(name, shape, dtype=1):
    dims = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in shape)
    return field(1, name) + field(2, field(1, field(1, dtype) + field(2, dims)))


def onnx_model(nodes, inputs, outputs):
    """nodes: (operator, inputs, outputs); inputs, outputs: (name, shape) in float32, or (name, shape, ONNX's dtype)."""
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
        for verb in ["doctor", "inspect", "run", "bench", "bisect", "profile", "explain", "compare", "eval", "reduce",
                     "convert", "optimize", "conformance"]:
            self.assertIn(verb, listing)
            run = athanor(verb, "--help")
            self.assertEqual(run.returncode, 0)
            self.assertIn(f"athanor {verb}", run.stdout.split("Example:")[1])

    def test_help_is_a_verb_too(self):
        self.assertEqual(athanor("help").stdout, athanor("--help").stdout)
        self.assertEqual(athanor("help", "run").stdout, athanor("run", "--help").stdout)

    def test_the_version_is_a_document_too(self):
        version = json.loads(athanor("--version", "--json").stdout)["version"]
        self.assertEqual(athanor("--version").stdout.strip(), f"athanor {version}")

    def test_the_next_command_works_where_the_path_does_not_find_the_program(self):
        program = pathlib.Path(binary()).resolve()
        run = athanor("zoo", env={**os.environ, "PATH": "/usr/bin:/bin"})
        self.assertEqual(run.stdout.splitlines()[-1], f"next: {program} zoo resnet50 -o resnet50.onnx")
        self.assertEqual(athanor("zoo").stdout.splitlines()[-1], "next: athanor zoo resnet50 -o resnet50.onnx")

    def test_a_missing_file_is_told_in_one_way(self):
        for arguments in (["inspect", "none.onnx"], ["run", MODEL, "none.npy"], ["run", MODEL, "--input", "image=none.npy"]):
            run = athanor(*arguments)
            self.assertEqual(run.returncode, 1)
            self.assertIn("ATH-1004", run.stderr)
            self.assertRegex(run.stderr, "none.(onnx|npy): no such file")

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

    def test_what_cannot_be_written_is_told_of_the_writing(self):
        """Errors of writers said [import], as though the model could not be read."""
        path = self.file("erf.onnx", onnx_model([("Erf", ["x"], ["y"])], [("x", (1,))], [("y", (1,))]))
        for arguments in (["convert", path, "-o", "erf.prototxt"], ["codegen", path, "--target", "sql"]):
            run = athanor(*arguments, cwd=self.folder)
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn("error ATH-2401 [export]", run.stderr)
            self.assertNotIn("[import]", run.stderr)
        self.assertEqual(athanor("explain", "ATH-2401").returncode, 0)

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

    def test_a_name_does_not_steer_the_terminal(self):
        name = "x\x1b]0;stolen\x07\x1b[2J"
        model = self.file("steers.onnx", onnx_model([("Identity", [name], ["y"])], [(name, (2,))], [("y", (2,))]))
        terminal, its_end = pty.openpty()
        self.addCleanup(os.close, terminal)
        run = subprocess.run([binary(), "inspect", str(model)], stdout=its_end, env={**os.environ, "TERM": "xterm"},
                             timeout=60, check=False)
        os.close(its_end)
        self.assertEqual(run.returncode, 0)
        shown = os.read(terminal, 1 << 16)
        self.assertIn(b"x?]0;stolen??[2J", shown)
        self.assertNotIn(b"\x1b", shown)

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


    def test_long_dimensions_are_cut_and_figures_say_for_which_size(self):
        a, b, c = ("a" * 30, "b" * 14, "c" * 14)
        model = self.file("long.txt", f"graph g(x: f32[{a}, {b}, {c}]) -> (y: f32[?, ?]) {{\n  %y = Flatten(%x)\n}}\n".encode())
        shown = athanor("inspect", model).stdout
        self.assertIn(f"f32[{a}, {b}, {c}]", shown)
        self.assertIn(f"f32[{a}, ?]", shown)
        self.assertIn(" per inference at N=1 (", athanor("inspect", MODEL).stdout)
        self.assertIn(" per inference (", athanor("inspect", MODEL, "--set-dim", "N=2").stdout)


class Run(Case):
    def test_a_picture_gives_its_class(self):
        run = athanor("run", MODEL, DIGITS / "images" / "7_0174.png", "--std", 255, "--labels",
                      DIGITS / "labels.txt")
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertTrue(run.stdout.splitlines()[-1].startswith("next: athanor"))
        result = document(self, "run", MODEL, DIGITS / "images" / "7_0174.png", "--std", 255)
        self.assertEqual(result["outputs"][0]["top"][0]["class"], 7)

    def test_golden_arrays_give_the_recorded_logits_on_every_device(self):
        with zipfile.ZipFile(DIGITS / "golden.npz") as golden:
            _, expected = read_npy(golden.read("logits.npy"))
        for device in ["reference", "cpu", "cpu.0", "MULTI:cpu.0,cpu", "HETERO:cpu,reference"]:
            out = self.folder / f"{device}.npz"
            result = document(self, "run", MODEL, DIGITS / "golden.npz", "--save", out, "--device", device)
            self.assertEqual([part["device"] for part in result.get("parts", [])],
                             device.partition(":")[2].split(",") if ":" in device else [])
            with zipfile.ZipFile(out) as saved:
                self.assertEqual(saved.namelist(), ["logits.npy"])
                shape, actual = read_npy(saved.read("logits.npy"))
            self.assertEqual(shape, (16, 10))
            for a, b in zip(actual, expected):
                self.assertAlmostEqual(a, b, delta=1e-3 + 1e-3 * abs(b))

    def test_a_device_that_is_not_there_is_named_with_one_that_is(self):
        for device, meant in [("cup", "cpu"), ("MUTLI:cpu,cpu.0", "MULTI"), ("HETERO:cpu,refrence", "reference")]:
            run = athanor("run", MODEL, "--device", device)
            self.assertEqual(run.returncode, 1)
            self.assertIn(f'did you mean "{meant}"?', run.stderr)

    def test_requests_at_once_use_both_devices(self):
        result = document(self, "bench", MODEL, "--time", 0.3, "--streams", 2, "--device", "MULTI:cpu.0,cpu")
        self.assertEqual([part["device"] for part in result["parts"]], ["cpu.0", "cpu"])
        self.assertGreater(min(part["runs"] for part in result["parts"]), 0)

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

    def test_a_number_fills_an_input_of_one_element(self):
        for shape in [(), (1,), (1, 1)]:
            result = document(self, "run", self.add_model(shape), "--input", "a=2.5", "--input", "b=4")
            self.assertEqual(result["outputs"][0]["values"], [6.5])
        whole = self.file("whole.onnx", onnx_model([("Identity", ["x"], ["y"])], [("x", (), 7)], [("y", (), 7)]))
        self.assertEqual(document(self, "run", whole, "--input", "x=16000")["outputs"][0]["values"], [16000])
        # As a double it would be another number.
        large = document(self, "run", whole, "--input", "x=9007199254740993")
        self.assertEqual(large["outputs"][0]["values"], [9007199254740993])
        self.assertIn("\n  9007199254740993\n", athanor("run", whole, "--input", "x=9007199254740993").stdout)
        for model, text in ((whole, "x=1.5"), (whole, "x=none"), (self.add_model(), "a=16000")):
            run = athanor("run", model, "--input", text)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(f"{text[2:]}: no such file", run.stderr)

    def test_a_name_that_no_file_can_have_is_no_mistake_of_the_program(self):
        name = 5000 * "a"
        for verb in (["inspect", name], ["run", MODEL, name], ["run", MODEL, "--input", f"image={name}"]):
            run = athanor(*verb)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn("error ATH-1004 [file] aaaa", run.stderr.replace("image=", ""))

    def test_the_fix_for_a_wrong_type_names_the_right_one(self):
        floats = self.file("x.npy", npy("<f4", (2,), struct.pack("<2f", 1, 2)))
        for dtype, name in ((7, "int64"), (6, "int32"), (9, "bool_")):
            model = self.file("typed.onnx", onnx_model([("Identity", ["x"], ["y"])], [("x", (2,), dtype)], [("y", (2,), dtype)]))
            run = athanor("run", model, floats)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(f"x.astype(np.{name})", run.stderr)

    def test_what_would_be_ignored_is_refused(self):
        model = self.add_model()
        run = athanor("run", model, "--input", "a=random", "--input", "a=random", "--input", "b=random")
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn('input "a" is given twice', run.stderr)
        run = athanor("run", model, "random", "--mean", "a,b")
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertIn("--mean a,b", run.stderr)

    def test_boxes_in_a_list_are_shown(self):
        shapes = [("boxes", (2, 4)), ("scores", (2,))]
        model = self.file("list.onnx", onnx_model([("Identity", ["b"], ["boxes"]), ("Identity", ["s"], ["scores"])],
                                                  [("b", (2, 4)), ("s", (2,))], shapes))
        b = self.file("b.npy", npy("<f4", (2, 4), struct.pack("<8f", 1, 2, 3, 4, 11, 12, 13, 14)))
        s = self.file("s.npy", npy("<f4", (2,), struct.pack("<2f", 0.25, 0.75)))
        result = document(self, "run", model, f"--input=b={b}", f"--input=s={s}", "--boxes")
        self.assertEqual(result["runs"][0]["boxes"], [{"class": 0, "score": 0.75, "box": [11, 12, 13, 14]}])

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

    def test_neither_the_model_nor_a_file_that_is_read_only_is_replaced(self):
        model = self.add_model()
        before = pathlib.Path(model).read_bytes()
        other = self.file("other.onnx", b"precious")
        os.chmod(other, 0o444)
        for verb in ("convert", "optimize"):
            run = athanor(verb, model, "-o", os.path.join(self.folder, ".", os.path.basename(model)))
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn("would replace a file it is made of", run.stderr)
            run = athanor(verb, model, "-o", other)
            self.assertNotEqual(run.returncode, 0)
            self.assertIn("the file is read-only", run.stderr)
            self.assertIn("fix:", run.stderr)
        self.assertEqual(pathlib.Path(model).read_bytes(), before)
        self.assertEqual(pathlib.Path(other).read_bytes(), b"precious")

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

    def test_verbs_that_run_the_model_print_it_too_and_go_on(self):
        for verb in (["bench", MODEL, "--time", "0.01"], ["explain", MODEL], ["profile", MODEL], ["run", MODEL, "random"],
                     ["tune", MODEL, "--budget", "0.1", "-o", self.folder / "times.json"]):
            run = athanor(*verb, "--dump-ir", "after:fold-linear")
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn("= Conv(", run.stdout)
            self.assertNotIn("BatchNormalization", run.stdout)
            self.assertIn("next: ", run.stdout)
        run = athanor("explain", MODEL, "--dump-ir", "after:import", "--json")
        self.assertIn("BatchNormalization", run.stderr)
        self.assertGreater(len(json.loads(run.stdout)["steps"]), 5)

    def test_a_stage_is_asked_for_by_after(self):
        for verb in ("optimize", "bench"):
            run = athanor(verb, MODEL, "--dump-ir", "import")
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

    def test_every_open_dimension_is_named_where_no_size_is_found(self):
        for verb in ("run", "bench", "profile", "explain"):
            run = athanor(verb, self.product(3))
            self.assertEqual(run.returncode, 2, run.stdout)
            self.assertIn("fix: --set-dim K=N --set-dim N=N, N: the sizes the model was made for", run.stderr)

    def test_parity_is_checked_with_sizes_that_fit(self):
        result = document(self, "convert", self.product(4), "-o", self.folder / "out.ath")
        self.assertTrue(result["parity"]["pass"])

    def test_a_conversion_whose_parity_cannot_be_checked_says_so(self):
        result = document(self, "convert", self.product(3), "-o", self.folder / "out.ath")
        self.assertIsNone(result["parity"]["pass"])
        self.assertIn("--set-dim", result["parity"]["not_checked"])
        run = athanor("convert", self.product(3), "-o", "out.ath", cwd=self.folder)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("warning: parity is not checked", run.stderr)
        self.assertNotIn("error ATH", run.stderr)
        self.assertIn("out.ath --set-dim K=N --set-dim N=N", run.stdout.splitlines()[-1])

    def test_advice_after_a_conversion_names_every_input(self):
        shaped = self.file("shaped.onnx", onnx_model([("Reshape", ["x", "s"], ["y"])], [("x", (6,)), ("s", (2,), 7)], [("y", (2, 3))]))
        run = athanor("convert", shaped, "-o", "out.ath", cwd=self.folder)
        self.assertTrue(run.stdout.splitlines()[-1].endswith("out.ath --input x=x.npy --input s=s.npy"), run.stdout)
        pair = self.file("pair.onnx", onnx_model([("Add", ["a", "b"], ["sum"])], [("a", (1,)), ("b", (1,))], [("sum", (1,))]))
        run = athanor("convert", pair, "-o", "pair.ath", "--input", "a=1", "--input", "b=2", cwd=self.folder)
        self.assertTrue(run.stdout.splitlines()[-1].endswith("bench pair.ath --input a=1 --input b=2"), run.stdout)


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


class Bench(Case):
    def test_json_has_the_agreed_keys(self):
        result = document(self, "bench", MODEL, "--time", 0.2, "--threads", 1, "--batch", 2)
        self.assertEqual(set(result["latency_ms"]), {"min", "median", "p90", "p99"})
        for key in ["throughput_per_s", "threads", "streams", "batch", "precision", "peak_rss_mb",
                    "energy_j_per_run"]:
            self.assertIn(key, result)
        self.assertEqual((result["batch"], result["threads"]), (2, 1))
        self.assertLessEqual(result["latency_ms"]["min"], result["latency_ms"]["p99"])

        self.assertEqual((result["precision"], result["steps_on_reference"]), ("f32", 0))

    def test_numbers_are_asked_for_in_words_and_nan_is_none(self):
        for option, value, text in [("--memory-price", "nan", "from 0 to 1e+09"), ("--memory-price", "inf", "from 0 to 1e+09"),
                                    ("--memory-price", "-5", "from 0 to 1e+09"), ("--mem-budget", "8MiB", "above 0"),
                                    ("--time", "nan", "from 0.01 to 86400"), ("--threads", "2000", "from 0 to 1024")]:
            run = athanor("bench", MODEL, option, value)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(f"{value}: a number {text} is expected", run.stderr)

    def test_explain_says_which_node_a_step_is(self):
        """Names stood in --json alone."""
        steps = document(self, "explain", MODEL)["steps"]
        names = [step["node"] for step in steps if step["node"]]
        self.assertGreater(len(names), 5)
        header, _, *rows = athanor("explain", MODEL).stdout.splitlines()
        self.assertEqual(header.split(), ["step", "node", "kernel", "output", "why"])
        begin, end = header.index("node"), header.index("kernel")
        self.assertEqual([row[begin:end].strip() for row in rows[:len(steps)]], [step["node"] for step in steps])
        text = self.file("unnamed.txt", b"graph g(x: f32[2]) -> (y: f32[2]) {\n  %y: f32[2] = Relu(%x)\n}\n")
        unnamed = athanor("explain", text).stdout.splitlines()
        self.assertEqual(unnamed[0].split(), ["step", "kernel", "output", "why"])

    def test_strict_sums_refuse_rounded_factors(self):
        run = athanor("explain", MODEL, "--strict", "--precision", "bf16")
        self.assertEqual(run.returncode, 1)
        self.assertIn("one of --strict and --precision bf16", run.stderr)

    def test_precision_is_asked_for_and_refused_where_it_is_not_there(self):
        narrow = {**os.environ, "ATHANOR_ISA": "avx2"}
        for verb in ["bench", "run", "explain"]:
            run = athanor(verb, MODEL, "--precision", "bf16", env=narrow)
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn("ATH-2101", run.stderr)
            self.assertIn("precision auto", run.stderr)
        auto = document(self, "bench", MODEL, "--time", 0.1, "--precision", "auto", env=narrow)
        self.assertEqual(auto["precision"], "f32")
        if " avx512_bf16" not in pathlib.Path("/proc/cpuinfo").read_text() or "ATHANOR_ISA" in os.environ:
            self.skipTest("this machine has no avx512_bf16, or may not use it")
        self.assertEqual(document(self, "bench", MODEL, "--time", 0.1, "--precision", "bf16")["precision"], "bf16")
        same = document(self, "compare", MODEL, "--precision-b", "bf16", "--rtol", 0.05, "--atol", 0.05)
        self.assertTrue(same["pass"])
        self.assertGreater(same["outputs"][0]["rel_l2"], 1e-5)  # rounded

    def test_an_instruction_set_that_there_is_not_is_refused(self):
        """It was a warning, and the widest one ran."""
        for verb in (["bench", MODEL, "--time", 0.1], ["run", MODEL, "random", "--device", "reference"], ["doctor"]):
            run = athanor(*verb, env={**os.environ, "ATHANOR_ISA": "avx-512"})
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn('error ATH-1002 [usage] the environment has ATHANOR_ISA="avx-512": there are base, avx2, avx512', run.stderr)
            self.assertIn('did you mean "avx512"?', run.stderr)
            self.assertIn("fix: ATHANOR_ISA=avx2, or unset", run.stderr)

    def test_kernels_compete_for_every_layer(self):
        result = document(self, "bench", MODEL, "--kernels", "conv", "--rounds", 2)
        shapes = {layer["shape"]: layer for layer in result["layers"]}
        layer = shapes["3x3/1 48->48 8x8 +Relu"]
        self.assertEqual(layer["flops"], (2 * 48 * 9 + 1) * 48 * 8 * 8)  # products, sums and the bias
        kernels = {(c["kernel"], c["layout"]) for c in layer["candidates"]}
        self.assertTrue({"gemm", "direct", "winograd2", "winograd4", "winograd6"} <=
                        {kernel.split(".")[2] for kernel, _ in kernels})
        times = [c["measured_us"] for c in layer["candidates"]]
        self.assertEqual(times, sorted(times))
        for choice in layer["choices"].values():
            self.assertIn((choice["kernel"], choice["layout"]), kernels)
            self.assertGreaterEqual(choice["regret"], 0)
        self.assertEqual({s["selector"] for s in result["selectors"]}, set(layer["choices"]))
        table = athanor("bench", MODEL, "--kernels", "conv", "--rounds", 1).stdout
        for column in ("cost us", "learned us", "measured us", "GFLOP/s", "% of peak", "mean regret"):
            self.assertIn(column, table)
        self.assertIn("has no gemm layer", athanor("bench", self.add_model((1, 2)), "--kernels", "gemm").stderr)

    def test_a_model_is_wanted_without_kernels(self):
        run = athanor("bench")
        self.assertEqual(run.returncode, 1)
        self.assertIn("fix: athanor bench MODEL", run.stderr)

    def test_an_empty_batch_is_not_measured(self):
        run = athanor("bench", MODEL, "--set-dim", "N=0")
        self.assertEqual(run.returncode, 1)
        self.assertIn("there is nothing to measure", run.stderr)

    def test_throughput_uses_several_streams(self):
        result = document(self, "bench", MODEL, "--time", 0.2, "--goal", "throughput")
        self.assertEqual(result["streams"], len(os.sched_getaffinity(0)))

    def test_profile_adds_up(self):
        for device in ["reference", "cpu"]:
            result = document(self, "profile", MODEL, "--device", device)
            self.assertAlmostEqual(sum(n["ms"] for n in result["nodes"]), result["total_ms"], 6)
            self.assertGreater(len(result["nodes"]), 3)
            self.assertEqual(sorted(n["position"] for n in result["nodes"]), list(range(len(result["nodes"]))))


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

    def test_a_format_that_is_not_written_is_told_once(self):
        run = athanor("conformance", self.suite(), "--through", "foo")
        self.assertEqual(run.returncode, 2, run.stderr)
        self.assertIn('models are not written as "foo"', run.stderr)
        self.assertNotIn("FAIL", run.stderr)

    def test_exempt_tests_are_skipped(self):
        exempt = self.file("exempt.txt", b"# known\ntest_wrong  # not a model\n")
        result = document(self, "conformance", self.suite(), "--device", "reference", "--exempt",
                          exempt)
        self.assertEqual((result["passed"], result["failed"], result["skipped"]), (1, 0, 1))


class Interrupt(Case):
    def test_ctrl_c_ends_at_once_and_leaves_no_file(self):
        out = self.folder / "out.npz"
        process = subprocess.Popen([binary(), "bench", str(MODEL), "--time", "60"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # More than a second of work is told about.
        self.assertTrue(select.select([process.stderr], [], [], 60)[0], "no progress is told")
        told = os.read(process.stderr.fileno(), 4096)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 4)
        self.assertIn(b"bench", told)
        self.assertIn(b"ATH-4003", errors)
        self.assertFalse(out.exists())

    def test_an_end_in_the_middle_of_a_write_removes_the_part(self):
        # The part is a pipe made under the name the process is about to open, so that the process
        # stands still in the middle of the write for as long as nobody reads on.
        model = self.folder / "big.onnx"
        self.assertEqual(athanor("zoo", "squeezenet1_1", "-o", model).returncode, 0)
        for out, number, code in (("big.ath", signal.SIGINT, 4), ("again.onnx", signal.SIGTERM, -signal.SIGTERM),
                                  ("third.ath", signal.SIGHUP, -signal.SIGHUP)):
            target = self.folder / out
            target.write_bytes(b"what was there before")

            def make_pipe(target=target):
                os.mkfifo(f"{target}.partial.{os.getpid()}.0")
                signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests themselves may run under nohup

            process = subprocess.Popen([binary(), "convert", str(model), "-o", str(target)],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       preexec_fn=make_pipe)
            part = pathlib.Path(f"{target}.partial.{process.pid}.0")
            reader = os.open(part, os.O_RDONLY | os.O_NONBLOCK)
            try:
                self.assertTrue(select.select([reader], [], [], 60)[0], "nothing is written")
                process.send_signal(number)
                _, errors = process.communicate(timeout=60)
            finally:
                os.close(reader)
            self.assertEqual(process.returncode, code, errors)
            self.assertEqual("ATH-4003" in errors, number == signal.SIGINT)
            self.assertFalse(part.exists())
            self.assertEqual(target.read_bytes(), b"what was there before")
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()),
                         ["again.onnx", "big.ath", "big.onnx", "third.ath"])


if __name__ == "__main__":
    unittest.main()
