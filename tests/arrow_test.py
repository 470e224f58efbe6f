#!/usr/bin/env python3
"""Parquet and Arrow tables through `athanor score` and through Python, against the same table as csv.

    build/venv/bin/python tests/arrow_test.py [--binary build/test/bin/athanor]

Needs pyarrow; the part about Python also the module in build/test/python (PYTHONPATH). What is not there is skipped.
"""
import argparse
import csv
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODEL = ROOT / "examples" / "tabular" / "fraud.json"
ROWS = ROOT / "examples" / "tabular" / "rows.csv"
BINARY = ROOT / "build" / "test" / "bin" / "athanor"
HAS_PYARROW = importlib.util.find_spec("pyarrow") is not None
HAS_MODULE = importlib.util.find_spec("athanor") is not None
if HAS_PYARROW:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

# A category is text, a number may be missing, a flag is one.
PMML = """<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><DataDictionary>
<DataField name="x" optype="continuous" dataType="double"/><DataField name="s" optype="categorical" dataType="string"/>
<DataField name="out" optype="continuous" dataType="double"/></DataDictionary>
<RegressionModel functionName="regression"><MiningSchema><MiningField name="x" missingValueReplacement="100"/>
<MiningField name="s" missingValueReplacement="none"/><MiningField name="out" usageType="target"/></MiningSchema>
<RegressionTable intercept="0.5"><NumericPredictor name="x" coefficient="2"/><CategoricalPredictor name="s" value="NA" coefficient="1000"/>
<CategoricalPredictor name="s" value="a, &quot;b&quot;" coefficient="2000"/><CategoricalPredictor name="s" value="none" coefficient="3000"/>
</RegressionTable></RegressionModel></PMML>"""


def score(*arguments, **environment):
    return subprocess.run([BINARY, "score", *map(str, arguments), "--quiet"], capture_output=True, text=True, check=False,
                          env={**os.environ, "ATHANOR_PYTHON": sys.executable, **environment})


@unittest.skipUnless(HAS_PYARROW, "pyarrow is not installed")
class CommandLine(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.scratch.name)
        self.addCleanup(self.scratch.cleanup)
        self.table = pa.csv.read_csv(ROWS)

    def pmml(self):
        path = self.folder / "model.pmml"
        path.write_text(PMML)
        return path

    def expect(self, run, code=0):
        self.assertEqual(run.returncode, code, run.stderr)

    def test_gives_the_bytes_that_csv_gives(self):
        self.expect(score(MODEL, ROWS, "-o", self.folder / "csv.csv"))
        pa.parquet.write_table(self.table, self.folder / "t.parquet", row_group_size=33)
        for suffix, make in [("arrow", pa.ipc.new_file), ("arrows", pa.ipc.new_stream)]:
            with make(self.folder / f"t.{suffix}", self.table.schema) as writer:
                writer.write_table(self.table, max_chunksize=50)
        for suffix in ["parquet", "arrow", "arrows"]:
            self.expect(score(MODEL, self.folder / f"t.{suffix}", "-o", self.folder / "out.csv"))
            self.assertEqual((self.folder / "out.csv").read_bytes(), (self.folder / "csv.csv").read_bytes(), suffix)

    def test_writes_the_types_of_the_model_and_of_kept_columns(self):
        table = self.table.append_column("when", pa.array([1.5 * i for i in range(200)], pa.float32()))
        table = table.append_column("id", pa.array(range(200), pa.int16()))
        pa.parquet.write_table(table, self.folder / "t.parquet")
        for suffix, read in [("parquet", pa.parquet.read_table), ("arrow", lambda p: pa.ipc.open_file(p).read_all()),
                             ("arrows", lambda p: pa.ipc.open_stream(p).read_all())]:
            out = self.folder / f"out.{suffix}"
            self.expect(score(MODEL, self.folder / "t.parquet", "-o", out, "--keep", "when", "--keep", "id"))
            answers = read(str(out))
            self.assertEqual(answers.schema.names, ["when", "id", "label", "probability(0)", "probability(1)"])
            self.assertEqual([str(t) for t in answers.schema.types], ["float", "int16", "int64", "float", "float"])
            self.assertEqual(answers["when"].to_pylist(), table["when"].to_pylist())
        self.expect(score(MODEL, ROWS, "-o", self.folder / "csv.csv"))
        with open(self.folder / "csv.csv", newline="", encoding="utf-8") as file:
            printed = np.array([row["probability(1)"] for row in csv.DictReader(file)], np.float32)
        self.assertTrue((printed == answers["probability(1)"].to_numpy()).all())

    def test_null_is_missing_and_text_is_what_it_is(self):
        texts = ["NA", None, 'a, "b"', "other", "two\nlines"]
        for s in [pa.array(texts), pa.array(texts, pa.large_string()), pa.array(texts).dictionary_encode()]:
            table = pa.table({"x": pa.array([1, None, 3, float("nan"), 5], pa.float64()), "s": s})
            pa.parquet.write_table(table, self.folder / "t.parquet")
            self.expect(score(self.pmml(), self.folder / "t.parquet", "-o", self.folder / "out.parquet", "--keep", "s"))
            answers = pa.parquet.read_table(self.folder / "out.parquet")
            # 0.5 + 2 x + what the text adds; a missing x is 100.
            self.assertEqual(answers["out"].to_pylist(), [1002.5, 3200.5, 2006.5, 200.5, 10.5])
            self.assertEqual(answers["s"].to_pylist(), texts)

    def test_nulls_of_a_lone_column_are_rows(self):
        model = self.folder / "lone.pmml"
        model.write_text('<PMML version="4.4" xmlns="http://www.dmg.org/PMML-4_4"><Header/><DataDictionary><DataField name="x" optype="continuous" dataType="double"/></DataDictionary>'
                         '<RegressionModel functionName="regression"><MiningSchema><MiningField name="x"/></MiningSchema><Output><OutputField name="y" dataType="double" optype="continuous"/>'
                         '</Output><RegressionTable intercept="1"><NumericPredictor name="x" coefficient="2"/></RegressionTable></RegressionModel></PMML>')
        for kind in [pa.float32(), pa.float64(), pa.int64()]:
            pa.parquet.write_table(pa.table({"x": pa.array([1, None, 3], kind)}), self.folder / "t.parquet")
            self.expect(score(model, self.folder / "t.parquet", "-o", self.folder / "out.parquet"))
            self.assertEqual(pa.parquet.read_table(self.folder / "out.parquet")["y"].to_pylist(), [3, None, 7])

    def test_an_empty_table_gives_the_names(self):
        pa.parquet.write_table(self.table.slice(0, 0), self.folder / "t.parquet")
        self.expect(score(MODEL, self.folder / "t.parquet", "-o", self.folder / "out.parquet"))
        self.assertEqual(pa.parquet.read_table(self.folder / "out.parquet").schema.names, ["label", "probability(0)", "probability(1)"])

    def test_partitions_may_be_parquet(self):
        self.expect(score(MODEL, ROWS, "-o", self.folder / "scores", "--partition", "dt={date}", "--date", "2026-11-27", "--output-format", "parquet"))
        place = self.folder / "scores" / "dt=2026-11-27"
        self.assertEqual(pa.parquet.read_table(place / "part-00000.parquet").num_rows, 200)
        self.assertTrue((place / "_SUCCESS").exists())

    def test_says_what_is_wrong_and_leaves_nothing(self):
        out = self.folder / "out.parquet"
        pa.parquet.write_table(self.table.drop_columns(["amount"]).append_column("amounts", self.table["amount"]), self.folder / "short.parquet")
        run = score(MODEL, self.folder / "short.parquet", "-o", out)
        self.expect(run, 1)
        self.assertIn('no column "amount" (did you mean "amounts"?)', run.stderr)
        (self.folder / "bad.parquet").write_bytes(b"PAR1 this is none PAR1")
        run = score(MODEL, self.folder / "bad.parquet", "-o", out)
        self.expect(run, 1)
        self.assertIn("bad.parquet", run.stderr)
        pa.parquet.write_table(self.table.set_column(0, "amount", pa.array([[1.0]] * 200)), self.folder / "list.parquet")
        self.expect(score(MODEL, self.folder / "list.parquet", "-o", out), 1)
        whole = self.folder / "whole.arrows"
        with pa.ipc.new_stream(whole, self.table.schema) as writer:
            writer.write_table(self.table, max_chunksize=20)
        (self.folder / "cut.arrows").write_bytes(whole.read_bytes()[:whole.stat().st_size // 2])
        self.expect(score(MODEL, self.folder / "cut.arrows", "-o", out), 1)
        pa.parquet.write_table(self.table, self.folder / "t.parquet")
        self.expect(score(MODEL, self.folder / "t.parquet", "-o", self.folder / "out.csv", "--resume"), 1)
        self.expect(score(MODEL, self.folder / "none.parquet", "-o", out), 1)
        self.assertEqual([p.name for p in self.folder.iterdir() if p.name.startswith("out")], [])

    def expect_no_pyarrow(self, run):
        self.assertEqual(run.returncode, 1)
        self.assertIn("ATH-1001", run.stderr)
        self.assertIn("pip install pyarrow", run.stderr)

    def test_without_pyarrow_there_is_a_recipe(self):
        pa.parquet.write_table(self.table, self.folder / "t.parquet")
        fake = self.folder / "pyarrow"
        fake.mkdir()
        (fake / "__init__.py").write_text("raise ImportError('No module named pyarrow')\n")
        for environment in [{"PYTHONPATH": str(self.folder)}, {"ATHANOR_PYTHON": "/no/such/python"}]:
            for arguments in [[self.folder / "t.parquet", "-o", self.folder / "out.csv"], [ROWS, "-o", self.folder / "out.parquet"]]:
                run = score(MODEL, *arguments, **environment)
                self.expect_no_pyarrow(run)
            partition = ["-o", self.folder / "parts", "--partition", "dt=1/hour=2", "--output-format", "parquet"]
            self.expect_no_pyarrow(score(MODEL, ROWS, *partition, **environment))
            self.assertFalse((self.folder / "parts").exists())
            (self.folder / "parts").mkdir()  # one that was there stays
            self.expect_no_pyarrow(score(MODEL, ROWS, *partition, **environment))
            self.assertEqual(list((self.folder / "parts").iterdir()), [])
            (self.folder / "parts").rmdir()

    def test_memory_does_not_grow_with_the_table(self):
        def peak(rows):
            path = self.folder / f"{rows}.parquet"
            with pa.parquet.ParquetWriter(path, self.table.schema) as writer:
                for _ in range(rows // 20000):
                    writer.write_table(pa.concat_tables([self.table] * 100))
            pid = os.fork()
            if pid == 0:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.execve(BINARY, [str(BINARY), "score", str(MODEL), str(path), "-o", str(self.folder / "out.parquet"), "--quiet"],
                          {**os.environ, "ATHANOR_PYTHON": sys.executable})
            _, status, usage = os.wait4(pid, 0)
            self.assertEqual(status, 0)
            return usage.ru_maxrss
        small, large = peak(40_000), peak(400_000)
        self.assertLess(large, small * 1.3 + 20_000)


@unittest.skipUnless(HAS_PYARROW and HAS_MODULE, "pyarrow or the Python module is not installed")
class Python(unittest.TestCase):
    def setUp(self):
        import athanor
        self.athanor = athanor
        self.net = athanor.load(MODEL)
        self.table = pa.csv.read_csv(ROWS)

    def pmml(self):
        with tempfile.NamedTemporaryFile("w", suffix=".pmml") as file:
            file.write(PMML)
            file.flush()
            return self.athanor.load(file.name)

    def test_a_table_gives_what_run_gives(self):
        answers = pa.table(self.net.score(self.table))
        columns = {info.name: self.table[info.name].to_numpy().astype("f4").reshape(-1, 1) for info in self.net.inputs}
        direct = self.net.run(columns)
        self.assertEqual(answers["label"].to_pylist(), direct["label"][:, 0].tolist())
        self.assertTrue((answers["probability(1)"].to_numpy() == direct["probability"][:, 1]).all())
        self.assertEqual([str(t) for t in answers.schema.types], ["int64", "float", "float"])

    def test_batches_of_any_size_give_the_same(self):
        whole = pa.table(self.net.score(self.table, keep=["hour"]))
        for size in [1, 7, 64, 199]:
            reader = pa.RecordBatchReader.from_batches(self.table.schema, self.table.to_batches(max_chunksize=size))
            answers = pa.RecordBatchReader.from_stream(self.net.score(reader, keep=["hour"]))
            batches = list(answers)
            self.assertEqual(len(batches), -(-200 // size))
            self.assertEqual(pa.Table.from_batches(batches), whole)

    def test_slices_and_kept_columns_of_any_type(self):
        lists = pa.array([[i, i + 1] for i in range(200)])
        table = self.table.append_column("lists", lists)
        batch = table.to_batches()[0].slice(17, 50)
        answers = pa.table(self.net.score(pa.Table.from_batches([batch]), keep=["lists"]))
        self.assertEqual(answers["lists"].to_pylist(), lists.to_pylist()[17:67])
        self.assertEqual(answers["label"].to_pylist(), pa.table(self.net.score(self.table))["label"].to_pylist()[17:67])

    def test_every_number_type_and_dictionaries(self):
        net = self.pmml()
        columns = [pa.array(np.array([1, 2, 2], kind)) for kind in ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]]
        columns.append(pa.array([1.0, 2.0, 2.0]).dictionary_encode())
        for x in columns:
            answers = pa.table(net.score(pa.table({"x": x, "s": ["q", "q", "NA"]})))
            self.assertEqual(answers["out"].to_pylist(), [2.5, 4.5, 1004.5], x.type)
        texts = ["NA", None, 'a, "b"', "longer than twelve bytes"]
        columns = [pa.array(texts, kind) for kind in [pa.string(), pa.large_string(), pa.string_view()]]
        columns.append(pa.DictionaryArray.from_arrays(pa.array([0, None, 1, 2], pa.uint16()), [texts[0], *texts[2:]]))
        for s in columns:
            answers = pa.table(net.score(pa.table({"x": [0, 0, 0, None], "s": s})))
            self.assertEqual(answers["out"].to_pylist(), [1000.5, 3000.5, 2000.5, 200.5], s.type)
        answers = pa.table(net.score(pa.table({"x": [True, False], "s": pa.nulls(2)})))
        self.assertEqual(answers["out"].to_pylist(), [3002.5, 3000.5])

    def test_a_missing_answer_is_null(self):
        with tempfile.NamedTemporaryFile("w", suffix=".pmml") as file:
            file.write(PMML.replace(' missingValueReplacement="100"', ""))
            file.flush()
            net = self.athanor.load(file.name)
        answers = pa.table(net.score(pa.table({"x": [1.0, None], "s": ["q", "q"]})))
        self.assertEqual(answers["out"].to_pylist(), [2.5, None])
        self.assertEqual(answers["out"].null_count, 1)

    def test_errors_name_column_and_row(self):
        for table, sentence in [
                (self.table.drop_columns(["hour"]), 'no column "hour"'),
                (self.table.rename_columns([" hour" if name == "hour" else name for name in self.table.column_names]), 'did you mean " hour", with spaces'),
                (self.table.set_column(1, "hour", pa.array(["noon"] * 200)), 'column "hour".*text'),
                (self.table.set_column(1, "hour", pa.array([[1]] * 200)), 'column "hour".*a list'),
                (self.table.append_column("hour", self.table["hour"]), 'column "hour" twice: its columns 2 and [0-9]+')]:
            with self.assertRaisesRegex(self.athanor.Error, sentence):
                self.net.score(table)
        with self.assertRaisesRegex(TypeError, "__arrow_c_stream__"):
            self.net.score([1, 2])
        # What fails behind the first batch is told by the reader of the answers.
        def batches():
            yield self.table.to_batches()[0]
            raise ValueError("the disk is gone")
        answers = self.net.score(pa.RecordBatchReader.from_batches(self.table.schema, batches()))
        with self.assertRaisesRegex(Exception, "the disk is gone"):
            pa.table(answers)

    def test_answers_are_read_once_and_outlive_the_model(self):
        net = self.athanor.load(MODEL)
        answers = net.score(self.table)
        del net
        self.assertEqual(pa.table(answers).num_rows, 200)
        with self.assertRaisesRegex(ValueError, "already"):
            pa.table(answers)
        self.net.score(self.table)  # forgotten unread

    def test_a_stream_is_read_batch_by_batch(self):
        taken = []
        def batches():
            for i in range(50):
                taken.append(i)
                yield self.table.to_batches()[0]
        reader = pa.RecordBatchReader.from_batches(self.table.schema, batches())
        answers = pa.RecordBatchReader.from_stream(self.athanor.score(self.net, reader))
        answers.read_next_batch()
        self.assertLessEqual(len(taken), 2)
        self.assertEqual(sum(batch.num_rows for batch in answers), 49 * 200)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(BINARY))
    options, rest = parser.parse_known_args()
    globals()["BINARY"] = pathlib.Path(options.binary).resolve()
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
