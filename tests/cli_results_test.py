#!/usr/bin/env python3
"""The command line from the outside: what verbs write, and those that judge or make models and packages.

Needs nothing but Python. The binary is $ATHANOR_BIN or the newest of build/*/bin/athanor.
"""
import json
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest
import zipfile

from cli_test import DIGITS, MODEL, Case, athanor, document, npy
from running import binary


class Results(Case):
    """Where a result cannot go is told before the work: here the work could not even start."""

    def test_a_folder_that_is_not_there(self):
        none, data = self.folder / "none.onnx", ["--data", DIGITS, "--labels", DIGITS / "labels.csv"]
        for ending, arguments in [
                ("npz", ["run", none, "random", "--save"]), ("ath", ["convert", none, "-o"]), ("ath", ["optimize", none, "-o"]),
                ("onnx", ["train", none, "--data", "none.npz", "-o"]), ("ath", ["quantize", none, "--calib", "none", "-o"]),
                ("athplan", ["tune", none, "-o"]), ("csv", ["eval", none, *data, "--bad-cases"]),
                ("csv", ["score", none, "none.csv", "-o"]), ("athpkg", ["pack", "none.yaml", "-o"]), ("onnx", ["zoo", "lstm", "-o"])]:
            with self.subTest(arguments[0]):
                run = athanor(*arguments, self.folder / "no" / f"x.{ending}")
                self.assertEqual(run.returncode, 1, run.stderr)
                self.assertIn("ATH-1005", run.stderr)
                self.assertIn(f"mkdir -p {self.folder}/no", run.stderr)

    def test_an_ending_that_is_not_written(self):
        for verb, data in (("train", ["--data", "none.npz"]), ("quantize", ["--calib", "none"]), ("convert", [])):
            run = athanor(verb, self.folder / "none.onnx", *data, "-o", self.folder / "x.xyz")
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn('models are not written as "xyz"', run.stderr)
            self.assertEqual("pmml" in run.stderr, verb == "convert", run.stderr)
        for name in ("x.png", "x.json", "x.txt"):
            run = athanor("run", self.add_model(), "random", "--save", self.folder / name)
            self.assertEqual(run.returncode, 1, run.stderr)
            self.assertIn(".npz or .npy is expected", run.stderr)
            self.assertFalse((self.folder / name).exists())

    def test_without_a_name_they_go_to_the_current_folder(self):
        foreign = self.folder / "foreign"
        foreign.mkdir()
        model = self.file("foreign/digits.onnx", MODEL.read_bytes())
        self.assertEqual(document(self, "optimize", model, cwd=self.folder)["out"], "digits.optimized.ath")
        self.assertEqual(document(self, "tune", model, "--budget", 0, cwd=self.folder)["output"], "digits.onnx.athplan")
        self.assertEqual([path.name for path in foreign.iterdir()], ["digits.onnx"])


class Packages(Case):
    def setUp(self):
        super().setUp()
        self.package = self.folder / "digits.athpkg"
        self.assertEqual(athanor("pack", DIGITS / "pipeline.yaml", "-o", self.package).returncode, 0)

    def test_inspect_says_what_is_in_one(self):
        result = document(self, "inspect", self.package)
        self.assertEqual([entry["name"] for entry in result["entries"]], ["digits.ath", "labels.txt", "pipeline.json"])
        self.assertEqual(result["stages"][:2], [{"stage": "decode", "settings": "{colour: grey}"},
                                                {"stage": "resize", "settings": "{to: [32, 32]}"}])
        self.assertEqual((result["name"], result["signer"], result["cipher"]), ("digits", "", None))

    def test_verbs_for_models_say_how_to_get_the_model(self):
        for verb in ("bench", "explain", "profile", "tune", "workbench"):
            run = athanor(verb, self.package)
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn("this is a package", run.stderr)
            self.assertIn("unpack takes the model out of one", run.stderr)
            self.assertIn(f"athanor unpack {self.package}", run.stderr)

    def test_unpack_ends_with_a_file_that_is_there(self):
        run = athanor("unpack", self.package, "-o", "parts", cwd=self.folder)
        self.assertEqual(run.stdout.splitlines()[-1], "next: athanor inspect parts/digits.ath")
        self.assertTrue((self.folder / "parts" / "digits.ath").is_file())

    def test_a_damaged_start_is_damage(self):
        data = bytearray(self.package.read_bytes())
        data[3] ^= 1
        self.package.write_bytes(data)
        for arguments in (["run", self.package, "x.png", "--key", "none.key"], ["inspect", self.package],
                          ["unpack", self.package], ["bench", self.package]):
            run = athanor(*arguments)
            self.assertEqual(run.returncode, 2, run.stderr)
            self.assertIn("ATH-2002", run.stderr)

    def test_keys_are_never_overwritten(self):
        self.assertEqual(athanor("keys", self.folder / "v").returncode, 0)
        key = (self.folder / "v.key").read_bytes()
        run = athanor("keys", self.folder / "v")
        self.assertEqual(run.returncode, 1)
        self.assertIn("it is there already", run.stderr)
        self.assertEqual((self.folder / "v.key").read_bytes(), key)
        self.assertIn("there is no folder", athanor("keys", self.folder / "no" / "v").stderr)

    def test_an_output_that_the_model_does_not_have_is_told_with_its_line(self):
        text = (DIGITS / "pipeline.yaml").read_text().replace("digits.onnx", str(MODEL)).replace("labels.txt", str(DIGITS / "labels.txt"))
        run = athanor("pack", self.file("p.yaml", text.replace("{count: 3}", "{count: 3, output: scores}").encode()))
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertRegex(run.stderr, r"p\.yaml: line \d+: the model has no output \"scores\"; it has logits")
        self.assertIn("fix: output: NAME under top_k", run.stderr)


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
        run = athanor("eval", MODEL, "--data", DIGITS, "--labels", labels, "--std", 255)
        self.assertIn("--label-offset 1", run.stderr)
        self.assertNotIn("--label-offset", athanor("eval", MODEL, *self.FLAGS).stderr)

    def test_an_archive_holds_its_labels(self):
        result = document(self, "eval", MODEL, "--data", DIGITS / "heldout.npz", "--std", 255)
        self.assertEqual(result["n"], 360)
        self.assertAlmostEqual(result["value"], json.loads((DIGITS / "digits.json").read_text())["accuracy"], delta=1e-6)
        run = athanor("eval", MODEL, "--data", DIGITS, "--std", 255)
        self.assertEqual(run.returncode, 1)
        self.assertIn("a folder with --labels", run.stderr)

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

    def test_pictures_beside_the_folder_are_left_out(self):
        # One table for two folders: the pictures of calib/ were counted with those of eval/.
        for folder in ("eval", "calib"):
            (self.folder / folder).mkdir()
            self.file(f"{folder}/7.png", (DIGITS / "images" / "7_0174.png").read_bytes())
        labels = self.file("labels.csv", b"filename,class\neval/7.png,7\n7.png,7\ncalib/7.png,7\n../calib/7.png,7\n")
        for data, cwd in ((self.folder / "eval", None), (f"{self.folder}/eval/", None), (".", self.folder / "eval")):
            run = athanor("eval", MODEL, "--data", data, "--labels", labels, "--std", 255, cwd=cwd)
            self.assertIn("(2 of 2)", run.stdout, run.stderr)
            self.assertIn(f"2 rows of {labels} are left out: no such file in {data}", run.stderr)


class Score(Case):
    """A field of two colours, whose other values are scored as they are."""
    PMML = """<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/><DataDictionary>
<DataField name="colour" optype="categorical" dataType="string"><Value value="red"/><Value value="blue"/></DataField>
<DataField name="y" optype="continuous" dataType="double"/></DataDictionary><RegressionModel functionName="regression">
<MiningSchema><MiningField name="colour" invalidValueTreatment="TREATMENT"/><MiningField name="y" usageType="target"/></MiningSchema>
<RegressionTable intercept="1"><CategoricalPredictor name="colour" value="red" coefficient="2"/></RegressionTable>
</RegressionModel></PMML>"""

    def test_categories_that_the_model_never_saw_are_counted(self):
        table = self.file("t.csv", b"colour\nred\ngreen\nNA\nblue\npink\n")
        for treatment in ("asIs", "asMissing", "returnInvalid"):
            model = self.file("m.pmml", self.PMML.replace("TREATMENT", treatment).encode())
            run = athanor("score", model, table, "-o", "out.csv", cwd=self.folder)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn('column "colour": 2 values that the model does not know, such as "green"', run.stdout)
            unknown = document(self, "score", model, table, "-o", self.folder / "out.csv")["unknown_values"]
            self.assertEqual(unknown, [{"column": "colour", "count": 2, "example": "green"}])
        for encoding, shown in [("utf8", 'such as "grün"'), ("latin1", 'such as "gr\\xfcn"\n  the table is not UTF-8; is it Latin-1?')]:
            self.file("t.csv", "colour\ngrün\n".encode(encoding))
            self.assertIn(shown, athanor("score", model, table, "-o", "out.csv", cwd=self.folder).stdout)
        self.file("t.csv", b"colour\nred\nNA\n")
        self.assertNotIn("does not know", athanor("score", model, table, "-o", "out.csv", cwd=self.folder).stdout)


class NextCommand(Case):
    """The last line works as it stands: it repeats the options that the next verb needs as well."""

    def next_of(self, *arguments):
        run = athanor(*arguments)
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout.splitlines()[-1]

    def test_threads_and_sizes_are_repeated(self):
        self.assertEqual(self.next_of("run", MODEL, "random", "--threads", 1, "--set-dim", "N=2"),
                         f"next: athanor bench {MODEL} --set-dim N=2 --threads 1")
        self.assertEqual(self.next_of("bench", MODEL, "--threads=1", "--time", 0.01), f"next: athanor profile {MODEL} --threads 1")
        out = self.folder / "times of mine.json"
        self.assertEqual(self.next_of("tune", MODEL, "--budget", 0.1, "-o", out, "--threads", 1),
                         f"next: athanor bench {MODEL} --plan-cache '{out}' --threads 1")

    def test_weights_go_with_their_network_only(self):
        net = self.file("net.prototxt", b'''name: "n" input: "x" input_dim: 1 input_dim: 4 input_dim: 1 input_dim: 1
layer { name: "y" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }''')
        line = self.next_of("inspect", net, "--weights", "random")
        self.assertEqual(line, f"next: athanor run {net} random --weights random")
        self.next_of(*line.removeprefix("next: athanor ").split())
        out = self.folder / "net.ath"
        self.assertEqual(self.next_of("convert", net, "-o", out, "--weights", "random"), f"next: athanor bench {out}")


class Mistakes(Case):
    """What a newcomer gives by mistake is called by its name, with what to give instead."""

    def refused(self, *arguments, code=None):
        run = athanor(*arguments)
        self.assertEqual(run.returncode, 2 if code is None else code, run.stdout + run.stderr)
        self.assertIn("  fix: ", run.stderr)
        return run.stderr

    def test_other_files_are_no_models(self):
        picture = DIGITS / "images" / "7_0174.png"
        self.assertIn("this is a picture (PNG), not a model", self.refused("run", picture, MODEL))
        bitmap = self.file("cat.bmp", b"BM" + struct.pack("<IIIIii", 70, 0, 54, 40, 1, 1) + bytes(48))
        self.assertIn("this is a picture (BMP), not a model", self.refused("inspect", bitmap))
        weights = self.file("dog.weights", bytes(64))
        self.assertIn("give the .cfg file", self.refused("inspect", weights))
        (self.folder / "dog.cfg").touch()
        self.assertIn(f"fix: give {self.folder / 'dog.cfg'}", self.refused("inspect", weights))
        self.assertIn("give the .param or .xml file", self.refused("inspect", self.file("net.bin", bytes(64))))
        self.assertIn("this is a folder", self.refused("inspect", self.folder, code=1))
        self.assertIn("a pipeline is expected", self.refused("pack", MODEL, "-o", self.folder / "x.athpkg", code=1))
        self.assertIn("this is a picture (BMP), no table", self.refused("score", MODEL, bitmap, code=1))
        for separator in ('"', "\n", ";;"):
            self.assertIn("no quote or line end", self.refused("score", MODEL, self.file("t.csv", b"a,b\n"), "--separator", separator, code=1))

    def test_a_file_of_nearly_this_name_is_meant(self):
        near = self.refused("inspect", DIGITS / "digit.onnx", code=1)
        self.assertIn(f"did you mean {MODEL}?", near)
        self.assertIn("the path is taken from", self.refused("run", MODEL, "nowhere.npy", code=1))

    def test_what_would_be_accepted_is_said(self):
        array = self.file("x.npy", npy("<f4", (3, 4), bytes(48)))
        self.assertIn("np.zeros((1, 1, 32, 32), np.float32)", self.refused("run", MODEL, array, code=1))
        self.assertIn("copy it again", self.refused("inspect", self.file("cut.onnx", MODEL.read_bytes()[:3000])))
        self.assertIn("copy it again", self.refused("run", MODEL, self.file("cut.npy", array.read_bytes()[:100]), code=1))
        self.assertIn("without --format", self.refused("inspect", MODEL, "--format", "onx"))
        out = self.folder / "x"
        self.assertIn(f"fix: -o {out}.onnx", self.refused("convert", MODEL, "-o", f"{out}.mnn"))
        self.assertIn("fix: --opset 28", self.refused("convert", MODEL, "-o", f"{out}.onnx", "--opset", 99, code=1))
        self.assertIn("are written for packages", self.refused("run", MODEL, "random", "--save", f"{out}.png", code=1))
        self.file("net.bin", b"")
        layer = self.file("net.param", b"7767517\n2 2\nInput a 0 1 a\nFooBar b 1 1 a b\n")
        self.assertIn("--plugin", self.refused("inspect", layer))
        self.assertIn("dead-code", self.refused("explain", MODEL, "--dump-ir", "after:fold", code=1))

    def test_pixels_without_a_range_are_remarked(self):
        picture = DIGITS / "images" / "7_0174.png"
        self.assertIn("as 0..255", athanor("run", MODEL, picture).stderr)
        self.assertNotIn("0..255", athanor("run", MODEL, picture, "--std", 255).stderr)

    def test_names_of_classes_can_be_moved(self):
        names = self.file("names.txt", "\n".join("one two three four five six seven eight nine".split()).encode())
        flags = ["run", MODEL, DIGITS / "images" / "7_0174.png", "--std", 255, "--labels", names]
        self.assertIn("--label-offset 1 moves them by one", athanor(*flags).stderr)
        run = athanor(*flags, "--label-offset", 1, "--top", 1)
        self.assertNotIn("warning", run.stderr)
        self.assertRegex(run.stdout, r"7 +seven ")


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
            # Only what the answers are made of.
            self.assertEqual([product["node"] for product in result["float_products"]], ["logits"])
            document(self, "quantize", MODEL, *self.FLAGS, "--threads", 1, "-o", second)
            self.assertEqual(first.read_bytes(), second.read_bytes())
            # The saved file holds pairs and runs wherever a model runs.
            ops = document(self, "inspect", first)["ops"]
            self.assertGreater(ops["QuantizeLinear"], 5)
            document(self, "compare", first, first, "--device-b", "reference", "--atol", 0.5)
            self.assertEqual(document(self, "bench", first, "--time", 0.1)["precision"], "int8")

    def test_what_integers_would_spoil_stays_in_float(self):
        # Calibrated on black pictures, ranges are far too narrow.
        self.file("black.npy", npy("<f4", (1, 1, 32, 32), bytes(4096)))
        arguments = ["quantize", MODEL, "--calib", self.folder, "--std", 255, "--data", DIGITS / "heldout.npz"]
        self.assertLess(document(self, *arguments, "-o", self.folder / "x.ath")["int8"]["top1"], 0.9)
        result = document(self, *arguments, "--max-drop", "1%", "-o", self.folder / "x.ath")
        self.assertTrue(result["pass"])
        self.assertGreaterEqual(result["int8"]["top1"], result["float"]["top1"] - 0.01)
        self.assertGreater(len(result["float_products"]), 0)

    def test_wrong_requests_say_what_is_expected(self):
        out = self.folder / "x.ath"
        for arguments, text in [
                (["--calib", "none"], "there is no such file or folder"),
                (["--calib", MODEL], "a folder of pictures or arrays, or an .npz, .npy or .csv file"),
                ([*self.FLAGS, "--labels", DIGITS / "labels.csv"], "--labels needs --data"),
                ([*self.FLAGS, "--max-drop", "much", "--data", DIGITS / "heldout.npz"], "1% or 0.01"),
                ([*self.FLAGS, "--data", DIGITS / "calib.npz"], "are also in")]:
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
    def test_times_lie_in_the_current_folder_and_decide(self):
        here = {"cwd": self.folder}
        model = self.file("digits.onnx", MODEL.read_bytes())
        result = document(self, "tune", model, "--threads", 1, "--budget", 20, **here)
        self.assertEqual(result["output"], "digits.onnx.athplan")
        self.assertGreater(result["steps_measured"], 0)
        self.assertEqual(result["times"], result["new_times"])
        steps = document(self, "explain", model, "--threads", 1, **here)["steps"]
        measured = [s for s in steps if any("measured_us" in c for c in s["candidates"])]
        self.assertEqual(len(measured), result["steps_measured"])
        for step in measured:
            taken = step["candidates"][0]
            self.assertEqual(step["kernel"], taken["kernel"])
            # Another layout may be faster for one step and slower for its neighbours.
            times = [c["measured_us"] for c in step["candidates"] if "measured_us" in c and c["layout"] == taken["layout"]]
            self.assertEqual(min(times), taken["measured_us"])
        self.assertEqual(result["steps_open"], 0)
        again = document(self, "tune", model, "--threads", 1, "--budget", 20, **here)
        self.assertEqual(again["new_times"], 0)

    def test_what_a_later_call_would_measure_is_open(self):
        """Reorders between layouts have several kernels and compete with nobody; a kernel far behind is never measured."""
        ask = ["tune", MODEL, "--threads", 1, "-o", self.folder / "times.athplan", "--plan-cache", self.folder / "times.athplan"]
        none = document(self, *ask[:-2], "--budget", 0, cwd=self.folder)
        self.assertEqual((none["steps_measured"], none["times"]), (0, 0))
        self.assertGreater(none["steps_open"], 0)
        told = athanor(*ask, "--budget", 0, cwd=self.folder).stdout
        self.assertIn("no step is measured", told)
        self.assertIn(f"{none['steps_open']} steps have kernels without a time", told)
        every = document(self, *ask, "--budget", "unlimited", cwd=self.folder)
        self.assertEqual(every["steps_open"], 0)
        self.assertTrue(0 < every["steps_measured"] <= none["steps_open"], every)
        rest = document(self, *ask, "--budget", 0, cwd=self.folder)
        self.assertEqual((rest["steps_open"], rest["steps_measured"], rest["new_times"]), (0, every["steps_measured"], 0))

    def test_every_selector_plans_and_explains_all_candidates(self):
        for selector in ("rule", "cost", "learned", "measured"):
            result = document(self, "explain", MODEL, "--select", selector, "--threads", 1, cwd=self.folder)
            self.assertEqual((result["selector"], result["steps_on_reference"]), (selector, 0))
            step = next(s for s in result["steps"] if s["output"] == "f32[1, 48, 8, 8]" and s["op"] == "Conv + Relu")
            fitting = [c for c in step["candidates"] if c["fits"]]
            self.assertEqual(step["kernel"], fitting[0]["kernel"])
            # In every layout: the packed product in rows competes with those in blocks.
            layouts = {c["kernel"].split(".")[2]: c["layout"] for c in step["candidates"] if "estimated_us" in c}
            self.assertEqual(layouts["gemm"], "rows")
            self.assertEqual(layouts["winograd4"], "blocks")
            for candidate in step["candidates"]:
                self.assertTrue(candidate["fits"] or candidate["reason"])
            if selector == "rule":  # 48 channels on 8 x 8, and weights larger than the picture
                self.assertIn("winograd4.staged", step["kernel"])

    def test_a_budget_of_seconds_measures_while_planning(self):
        result = document(self, "explain", MODEL, "--budget", 5, "--threads", 1, cwd=self.folder)
        step = next(s for s in result["steps"] if s["output"] == "f32[1, 48, 8, 8]" and s["op"] == "Conv + Relu")
        times = [c["measured_us"] for c in step["candidates"] if c["fits"] and "measured_us" in c]
        self.assertGreater(len(times), 1)
        self.assertEqual(times[0], min(times))
        run = athanor("explain", MODEL, "--budget", "soon")
        self.assertEqual(run.returncode, 1)
        self.assertIn("a number of seconds is expected, or unlimited", run.stderr)
        run = athanor("tune", MODEL, "--select", "rule", cwd=self.folder)
        self.assertEqual(run.returncode, 1)
        self.assertIn("tune measures", run.stderr)

    def test_the_next_command_finds_the_times(self):
        run = athanor("tune", MODEL, "--budget", 0, "-o", "mine.athplan", cwd=self.folder)
        self.assertEqual(run.stdout.splitlines()[-1], f"next: athanor bench {MODEL} --plan-cache mine.athplan")

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


if __name__ == "__main__":
    unittest.main()
