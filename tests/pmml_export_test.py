#!/usr/bin/env python3
"""Boosted models written as PMML give what they gave: read back here, and in jpmml-evaluator.

    build/venv/bin/python tests/pmml_export_test.py [--binary build/test/bin/athanor] [--filter TEXT]

The models of XGBoost, LightGBM and CatBoost of the data set go through `athanor convert -o OUT.pmml`, which ends with a proof of its
own; then `athanor score` and, where Java and the PyPI package jpmml-evaluator are there, jpmml-evaluator score the table that the
library's answers were recorded for. What is refused stands in tests/pmml_export_refused.txt. Prints "N passed, N failed, N skipped".
"""
import argparse
import collections
import importlib.util
import math
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import tabular_test

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROWS = 60  # of each table
MISSING = {"", "NA", "N/A", "NaN", "nan"}


def cell_of(cell, text):
    if cell in MISSING:
        return None
    return cell if text else {"true": 1.0, "false": 0.0}.get(cell.lower()) if cell[0].isalpha() else float(cell)


class Jpmml:
    def __init__(self):
        from jpmml_evaluator import make_evaluator  # pylint: disable=import-outside-toplevel,import-error
        self.make = make_evaluator

    def score(self, model, rows):
        """The answers to the rows, as text."""
        fields = dict(re.findall(r'<DataField name="([^"]*)" optype="\w+" dataType="(\w+)"', model.read_text()))
        evaluator = self.make(str(model))
        evaluator.verify()
        answers = []
        for row in rows:
            arguments = {name: cell_of(row[name], kind == "string") for name, kind in fields.items() if name in row}
            answer = evaluator.evaluate({name: value for name, value in arguments.items() if value is not None})
            answers.append({name: "" if value is None or isinstance(value, float) and math.isnan(value) else str(value)
                            for name, value in answer.items()})
        return answers


def refusals():
    lines = (ROOT / "tests" / "pmml_export_refused.txt").read_text().split("\n")
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines if line and not line.startswith("#")}


def check(case, options, jpmml, scratch):
    """(reader -> what is wrong, or ""), or the message of a refusal."""
    rows = tabular_test.read_csv(case.table)[:ROWS]
    table, model, out = scratch / "rows.csv", scratch / "out.pmml", scratch / "out.csv"
    tabular_test.write_csv(table, rows)
    made = subprocess.run([options.binary, "convert", case.model, "-o", model, "--quiet"], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"exit {made.returncode}: {made.stderr.strip()}"
    expected = tabular_test.Case(case.kind, case.name, model, table, case.expected[:ROWS], max(case.rtol, 1e-6), max(case.atol, 1e-7), case.columns)
    scored = subprocess.run([options.binary, "score", model, table, "-o", out, "--quiet"], capture_output=True, text=True, check=False)
    problems = {"athanor": tabular_test.compare(expected, tabular_test.read_csv(out)) if scored.returncode == 0 else scored.stderr}
    if jpmml:
        try:
            problems["jpmml"] = tabular_test.compare(expected, jpmml.score(model, rows))
        except Exception as why:  # pylint: disable=broad-except
            problems["jpmml"] = f"{type(why).__name__}: {why}"
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--filter", default="")
    options = parser.parse_args()
    if not (tabular_test.DATA / "gbdt").is_dir():
        print(f"SKIPPED models as PMML: {tabular_test.DATA / 'gbdt'} is absent\n0 passed, 0 failed, 1 skipped")
        return 0
    counts, listed = collections.Counter(), refusals()
    jpmml = Jpmml() if importlib.util.find_spec("jpmml_evaluator") and shutil.which("java") else None
    if jpmml is None:
        print("SKIPPED jpmml-evaluator: Java or the package jpmml-evaluator is absent")
        counts["skipped"] += 1
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        for case in [*tabular_test.boosted_cases(scratch), *tabular_test.catboost_cases()]:
            key = f"{case.kind}:{case.name}"
            if case.kind == "xgboost-ubj" or options.filter not in key:
                continue
            problems = check(case, options, jpmml, scratch)
            if isinstance(problems, str):
                known = re.match(r"exit [24]: error ATH-\d{4} ", problems) and key in listed and listed[key] in problems
                counts["skipped" if known else "failed"] += 1
                if not known:
                    print(f"FAIL {key}: {problems[:500]}", flush=True)
                continue
            if key in listed:
                problems["list"] = "passes, but is listed in tests/pmml_export_refused.txt"
            for reader, problem in problems.items():
                counts["failed" if problem else "passed"] += 1
                if problem:
                    print(f"FAIL {key} in {reader}: {problem[:500]}", flush=True)
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
