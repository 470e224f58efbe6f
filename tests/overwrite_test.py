#!/usr/bin/env python3
"""No verb replaces what it reads, whatever the names are; and where results go otherwise.

Needs nothing but Python. The binary is $ATHANOR_BIN or the newest of build/*/bin/athanor.
"""
import unittest

from cli_test import MODEL, Case, athanor, onnx_model

# The smallest model of tables.
PMML = """<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/>
<DataDictionary><DataField name="a" optype="continuous" dataType="double"/>
<DataField name="y" optype="continuous" dataType="double"/></DataDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="a"/>
<MiningField name="y" usageType="target"/></MiningSchema>
<RegressionTable intercept="1"><NumericPredictor name="a" coefficient="2"/></RegressionTable>
</RegressionModel></PMML>
"""


class Overwrite(Case):
    def setUp(self):
        super().setUp()
        self.model = self.file("m.onnx", MODEL.read_bytes())
        self.rows = self.file("m.pmml", PMML.encode())
        self.table = self.file("in.csv", b"a\n1\n2\n")

    def contents(self):
        return {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}

    def refused(self, *arguments, says="would replace", code="ATH-1001"):
        before = self.contents()
        run = athanor(*arguments, cwd=self.folder)
        self.assertNotEqual(run.returncode, 0, arguments)
        self.assertIn(says, run.stderr)
        self.assertIn("fix", run.stderr)
        self.assertEqual(before, self.contents())
        return run

    def test_the_weights_of_the_source(self):
        """Only -o itself was compared: the weights beside the result replaced those of the source."""
        for made, result in (("n.xml", "n.param"), ("k.param", "k.xml")):
            run = athanor("convert", self.model, "-o", made, cwd=self.folder)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertIn(f"wrote {made} and {made[0]}.bin", run.stdout + run.stderr)
            self.refused("convert", made, "-o", result)
            self.refused("optimize", made, "-o", result)

    def test_weights_with_another_name(self):
        """What --weights names is read as well, and no name of the model's tells it."""
        run = athanor("convert", self.model, "-o", "c.prototxt", cwd=self.folder)
        self.assertEqual(run.returncode, 0, run.stderr)
        (self.folder / "c.caffemodel").rename(self.folder / "w.caffemodel")
        self.refused("convert", "c.prototxt", "--weights", "w.caffemodel", "-o", "w.prototxt")

    def test_other_verbs(self):
        (self.folder / "link.csv").symlink_to("in.csv")
        score = ["score", "m.pmml", "in.csv"]
        for arguments in (["-o", "m.pmml"], ["-o", "in.csv"], ["-o", "link.csv"], ["-o", "o.csv", "--errors", "m.pmml"],
                          ["-o", "o.csv", "--errors", "in.csv"], ["-o", "o.csv", "--errors", "./o.csv"]):
            with self.subTest(arguments):
                self.refused(*score, *arguments)
        self.refused("codegen", "m.pmml", "-o", "m.pmml")
        self.refused("tune", "m.onnx", "-o", "m.onnx")

    def test_files_beside_the_answers_of_score(self):
        """Only the answers and the bad rows were looked at: _SUCCESS was removed before the run."""
        for name, more in (("_SUCCESS", ["--success"]), ("o.csv.part", ["--resume"]), ("o.csv.progress", ["--resume"])):
            with self.subTest(name):
                (self.folder / name).write_bytes(self.table.read_bytes())
                self.refused("score", "m.pmml", name, "-o", "o.csv", "--table-format", "csv", *more)
                (self.folder / name).unlink()

    def test_every_option_that_names_a_file(self):
        """The guard knew -o only, and its fix said -o whatever was meant."""
        for ending, verb in (("npz", ["run", "x", "random", "--save", "x"]), ("json", ["profile", "x", "--trace", "x"]),
                             ("html", ["profile", "x", "--html", "x"]), ("csv", ["eval", "x", "--data", "none", "--labels",
                                                                                "none", "--bad-cases", "x"]),
                             ("table", ["quantize", "x", "--calib", "none", "-o", "q.ath", "--save-table", "x"]),
                             ("html", ["quantize", "x", "--calib", "none", "-o", "q.ath", "--report", "x"])):
            model = f"model.{ending}"
            (self.folder / model).write_bytes(self.model.read_bytes())
            arguments = [model if word == "x" else word for word in verb]
            with self.subTest(arguments):
                run = self.refused(*arguments, "--format", "onnx")
                self.assertIn(f"choose another name with {arguments[-2]}", run.stderr)

    def test_parts_of_a_model(self):
        odd = onnx_model([("Frobnicate", ["x"], ["h"]), ("Relu", ["h"], ["y"])], [("x", (1,))], [("y", (1,))])
        for name in ("p.0.onnx", "p.1.ath", "p.stages.json"):
            with self.subTest(name):
                (self.folder / name).write_bytes(odd)
                self.refused("convert", name, "--format", "onnx", "-o", "p.ath", "--partition")
                (self.folder / name).unlink()

    def test_packages(self):
        (self.folder / "p.yaml").write_text("name: p\nstages:\n  - decode: {colour: grey}\n  - resize: {to: [32, 32]}\n"
                                            "  - normalise: {mean: 0, std: 255}\n  - model: {file: m.onnx}\n")
        self.refused("pack", "p.yaml", "-o", "p.yaml")
        self.refused("pack", "p.yaml", "-o", "m.onnx")
        run = athanor("pack", "p.yaml", "-o", "p.athpkg", cwd=self.folder)
        self.assertEqual(run.returncode, 0, run.stderr)
        (self.folder / "p.athpkg").rename(self.folder / "m.ath")
        self.refused("unpack", "m.ath", "-o", ".")

    def test_what_is_read_to_be_replaced(self):
        """Measured times are read, added to and written again."""
        for _ in range(2):
            run = athanor("tune", "m.onnx", "--budget", "0.2", cwd=self.folder)
            self.assertEqual(run.returncode, 0, run.stderr)

    def test_formats_that_would_be_ignored(self):
        self.refused("score", "m.pmml", "in.csv", "-o", "o.csv", "--output-format", "parquet", says="only partitions have one")

    def test_code_to_the_standard_output(self):
        run = athanor("codegen", "m.pmml", "--target", "formula", "-o", "-", cwd=self.folder)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("a", run.stdout)
        self.assertFalse((self.folder / "-").exists())

    def test_folders_of_a_report_are_not_made(self):
        for name in ("no/rep", "no/rep.html"):
            self.refused("quantize", "m.onnx", "--calib", "none", "-o", "q.ath", "--report", name, says="mkdir -p")
            self.assertFalse((self.folder / "no").exists())

    def test_a_folder_as_the_name_of_a_model(self):
        self.refused("convert", "m.onnx", "-o", ".", says="-o model.onnx")

    def test_damaged_weights_are_named(self):
        run = athanor("convert", self.model, "-o", "c.prototxt", cwd=self.folder)
        self.assertEqual(run.returncode, 0, run.stderr)
        weights = (self.folder / "c.caffemodel").read_bytes()
        (self.folder / "t.caffemodel").write_bytes(weights[:len(weights) // 2])
        self.refused("run", "c.prototxt", "random", "--weights", "t.caffemodel", says="t.caffemodel: the bytes are not a complete")


if __name__ == "__main__":
    unittest.main()
