#!/usr/bin/env python3
"""Models of tables as a C header, a SQL query and a formula give what they should.

    python3 tests/table_codegen_test.py [--binary build/test/bin/athanor] [--filter TEXT] [--verbose]

Every model of the data set (the cases of tabular_test.py) is written in each language, and what it computes is compared with the
recorded answers of the library that the model comes from: the header compiled with gcc without a warning, the query in sqlite3, the
formula as Python. Answers of the header in f32 are those of `athanor score` bit by bit where no exponential stands behind the trees.
What is refused stands in tests/table_codegen_refused.txt. Prints "N passed, N failed, N skipped"; refused cases count as skipped.
"""
import argparse
import collections
import json
import math
import pathlib
import re
import sqlite3
import struct
import subprocess
import sys
import tempfile

import tabular_test
from tabular_test import read_csv

ROOT = pathlib.Path(__file__).resolve().parent.parent
MISSING = {"", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"}
ROWS = 60  # of each table
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?inf")


def number(cell):
    return math.nan if cell in MISSING else {"true": 1.0, "false": 0.0}.get(cell.lower()) if not NUMBER.fullmatch(cell) else float(cell)


# ---- C

FIELD = re.compile(r"^  (float|double|long long|int|const char\*) (\w+)(?:\[(\d+)\])?;(?: /\* column (.*) \*/)?$", re.M)
READ = {"float": "strtof(cell, 0)", "double": "strtod(cell, 0)", "long long": "strtoll(cell, 0, 10)",
        "int": "(int)strtol(cell, 0, 10)", "const char*": "cell"}
PRINT = {"float": '"%.9g"', "double": '"%.17g"', "long long": '"%lld"', "int": '"%s"', "const char*": '"%s"'}
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"]


def driver(header):
    """A program that reads rows, cells between 0x1F, and prints answers in the same way."""
    head, tail = header.split("struct m_output {")
    inputs, outputs = FIELD.findall(head), FIELD.findall(tail.split("};")[0])
    lines = ['#define _POSIX_C_SOURCE 200809L\n#include <stdio.h>\n#include <stdlib.h>\n#include "m.h"', "static char line[1 << 20];", "int main(void) {",
             "  while (fgets(line, sizeof line, stdin)) {", "    struct m_input in; struct m_output out; char* rest = line; char* cell;"]
    for kind, name, _, _ in inputs:
        lines += ["    cell = rest; rest = strpbrk(rest, \"\\x1f\\n\"); if (!rest) return 1; *rest++ = 0;", f"    in.{name} = {READ[kind]};"]
    lines.append("    m_score(&in, &out);")
    for kind, name, width, _ in outputs:
        for i in range(int(width or 1)):
            value = f"out.{name}[{i}]" if width else f"out.{name}"
            shown = value + ' ? "true" : "false"' if kind == "int" else value
            lines.append(f'    printf({PRINT[kind]} "\\x1f", {shown});')
    lines += ['    putchar(\'\\n\');', "  }", "  return 0;", "}"]
    return "\n".join(lines) + "\n", [(kind, column) for kind, _, _, column in inputs]


def run_c(header, rows, columns, answers, folder):
    (folder / "m.h").write_text(header)
    source, inputs = driver(header)
    (folder / "m.c").write_text(source)
    built = subprocess.run(["gcc", *FLAGS, "m.c", "-lm", "-o", "m"], cwd=folder, capture_output=True, text=True, check=False)
    if built.returncode:
        raise ValueError(built.stderr[:2000])
    text = ""
    for row in rows:
        cells = [row[name] for name in columns]
        # Texts in utf-8; a missing number is nan, a truth 1 or 0.
        text += "\x1f".join(cell if kind == "const char*" and cell not in MISSING else "" if kind == "const char*" else repr(number(cell))
                            if kind not in ("long long", "int") else str(int(number(cell))) for (kind, _), cell in zip(inputs, cells)) + "\n"
    done = subprocess.run([folder / "m"], input=text.encode(), capture_output=True, check=True, timeout=60)
    result = []
    for line in done.stdout.decode().split("\n")[:-1]:
        result.append(dict(zip(answers, ("" if cell in ("nan", "-nan") else cell for cell in line.split("\x1f")))))
    return result


# ---- SQL

def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def ask_sql(query, columns, cells, kind=""):
    """The names and rows of the answer; every column of the table has the type."""
    base = sqlite3.connect(":memory:")
    base.execute(f"CREATE TABLE \"rows\" ({', '.join(f'{quoted(name)} {kind}' for name in columns)})")
    base.executemany(f"INSERT INTO \"rows\" VALUES ({', '.join('?' * len(columns))})", cells)
    done = base.execute(query)
    return [column[0] for column in done.description], done.fetchall()


def run_sql(query, rows, columns, answers, texts):
    names, got = ask_sql(query, columns, [[None if row[name] in MISSING else row[name] if name in texts else number(row[name]) for name in columns]
                                          for row in rows])
    if names != answers:
        raise ValueError(f"columns {names}, {answers} are expected")
    # As sqlite3 imports a csv: everything is text, a missing number the word that stood there.
    as_text = [["" if name in texts and row[name] in MISSING else row[name] for name in columns] for row in rows]
    # SQLite reads the digits of a text itself, perhaps to a neighbour of the number.
    if not all(is_near(str(a), str(b), 1e-9, 1e-12) for mine, theirs in zip(ask_sql(query, columns, as_text, "TEXT")[1], got) for a, b in zip(mine, theirs)):
        raise ValueError("a table of texts gets other answers")
    return [{name: "" if cell is None else str(cell) for name, cell in zip(names, row)} for row in got]


# ---- formulas

def saturating(function):
    def call(x):
        try:
            return function(x)
        except OverflowError:
            return math.inf
    return call


WORDS = {name: getattr(math, name) for name in ("acos", "asin", "atan", "ceil", "cos", "erf", "floor", "inf", "isnan", "log", "nan", "pow", "sin",
                                                "sqrt", "tan", "tanh")}
WORDS |= {"exp": saturating(math.exp), "cosh": saturating(math.cosh), "sinh": saturating(math.sinh), "abs": abs, "max": max, "min": min,
          "round": round, "trunc": lambda x: 0 if math.isnan(x) else math.trunc(x), "__builtins__": {}}


def run_formula(text, rows, columns, answers, texts):
    said = {what: {name: word for word, name in re.findall(rf'^# (\w+) is the {what} "(.*)"$', text, re.M)} for what in ("column", "answer")}
    code = compile(text, "formula", "exec")
    result = []
    for row in rows:
        space = dict(WORDS)
        for name in columns:
            cell = row[name]
            space[said["column"].get(name, name)] = ("" if cell in MISSING else cell) if name in texts else number(cell)
        exec(code, space)  # pylint: disable=exec-used
        values = {name: space[said["answer"].get(name, name)] for name in answers}
        result.append({name: "" if isinstance(value, float) and math.isnan(value) else str(value).lower() if isinstance(value, bool) else str(value)
                       for name, value in values.items()})
    return result


# ---- comparing

def single_bits(text):
    return struct.pack("f", float(text))


def is_near(a, b, rtol, atol):
    """rtol 0: the same float."""
    if a == b:
        return True
    try:
        return math.isclose(float(a), float(b), rel_tol=rtol, abs_tol=atol) if rtol else single_bits(a) == single_bits(b)
    except ValueError:
        return False


def against_score(got, scored, rtol, atol):
    for line, (mine, theirs) in enumerate(zip(got, scored), 2):
        for name, value in theirs.items():
            if not is_near(mine[name], value, rtol, atol):
                return f"line {line}, {name}: {mine[name]!r}, the scorer gives {value!r}"
    return "" if len(got) == len(scored) else f"{len(got)} rows of {len(scored)}"


def inspect(binary, model):
    return json.loads(subprocess.run([binary, "inspect", model, "--json"], capture_output=True, text=True, check=True).stdout)


def languages(case, options, folder):
    """language -> what is wrong; "" when nothing is, None when it was refused (with the message)."""
    out = folder / "scored.csv"
    rows = read_csv(case.table)[:ROWS]
    small = folder / "small.csv"
    tabular_test.write_csv(small, rows)
    if subprocess.run([options.binary, "score", case.model, small, "-o", out, "--quiet"], capture_output=True, check=False).returncode:
        return {}
    scored = read_csv(out)
    answers = list(scored[0])
    facts = inspect(options.binary, case.model)
    columns = [value["name"] for value in facts["inputs"]]
    texts = {value["name"] for value in facts["inputs"] if value["dtype"] == "string"}
    if not all(name in rows[0] for name in columns):
        matrix, texts = facts["inputs"][0]["name"], set()  # one matrix: its columns are x(0), x(1) ...
        rows = [{f"{matrix}({i})": cell for i, cell in enumerate(row.values())} for row in rows]
        columns = list(rows[0])
    expected = tabular_test.Case(case.kind, case.name, case.model, case.table, case.expected[:ROWS], case.rtol, case.atol, case.columns)
    single = any(value["dtype"] == "f32" for value in facts["inputs"])
    # Operators of ai.onnx.ml transform their scores themselves.
    exact = single and case.kind != "onnx" and not {"Sigmoid", "Softmax", "Exp", "Log"} & set(facts["ops"])
    results = {}
    for language in ("c99", "sql", "formula"):
        target = folder / f"m.{language}"
        made = subprocess.run([options.binary, "codegen", case.model, "--target", language, "--name", "m", "-o", target], capture_output=True,
                              text=True, check=False)
        if made.returncode:
            results[language] = (None, f"exit {made.returncode}: {made.stderr.strip()}")
            continue
        text = target.read_text()
        try:
            if language == "c99":
                got = run_c(text, rows, columns, answers, folder)
                problem = against_score(got, scored, 0 if exact else 2e-6, 0 if exact else 1e-6)
            elif language == "sql":
                got = run_sql(text, rows, columns, answers, texts)
                problem = against_score(got, scored, 1e-5, 2e-6)
            else:
                got = run_formula(text, rows, columns, answers, texts)
                problem = against_score(got, scored, 1e-5, 2e-6)
            if language != "c99" and single:
                expected.rtol, expected.atol = max(expected.rtol, 1e-5), max(expected.atol, 2e-6)
            problem = problem or tabular_test.compare(expected, got)
        except Exception as why:  # pylint: disable=broad-except
            problem = f"{type(why).__name__}: {why}"
        results[language] = (problem, "exact" if exact else "")
    return results


def comb(depth):
    """A tree of XGBoost in which every second branch is a leaf, and what it gives for x."""
    nodes = 2 * depth + 1
    inner = [i for i in range(nodes - 1) if i % 2 == 0]
    left = [i + 1 if i in set(inner) else -1 for i in range(nodes)]
    right = [i + 2 if left[i] >= 0 else -1 for i in range(nodes)]
    values = [i / 2 + 0.5 if left[i] >= 0 else float(i) for i in range(nodes)]
    tree = {"tree_param": {"size_leaf_vector": "1"}, "left_children": left, "right_children": right, "split_indices": [0] * nodes,
            "split_conditions": values, "default_left": [0] * nodes}
    text = json.dumps({"learner": {
        "attributes": {}, "feature_names": ["x"], "feature_types": ["float"], "learner_model_param": {
            "base_score": "0", "num_class": "0", "num_feature": "1", "num_target": "1"}, "objective": {"name": "reg:squarederror"},
        "gradient_booster": {"name": "gbtree", "model": {
            "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": "1"}, "tree_info": [0], "trees": [tree]}}}, "version": [3, 0, 0]})
    return text, lambda x: float(min(2 * math.floor(x + 0.5) + 1, nodes - 1)) if x >= 0.5 else 1.0


def deep_trees(options, scratch):
    """What is wrong with trees deeper than SQLite's expressions and Python's may be."""
    for depth, said in ((900, ""), (3000, "Python takes")):
        text, expected = comb(depth)
        model = scratch / "comb.json"
        model.write_text(text)
        rows = [{"x": str(x)} for x in (0.25, 1.0, depth / 2, depth + 5.0)]
        for language in ("c99", "sql", "formula"):
            made = subprocess.run([options.binary, "codegen", model, "--target", language, "--name", "m", "-o", scratch / "deep"], capture_output=True,
                                  text=True, check=False)
            if language == "formula" and said:
                if made.returncode != 4 or said not in made.stderr:
                    yield f"depth {depth}: exit {made.returncode}: {made.stderr[:300]}"
                continue
            written = (scratch / "deep").read_text() if made.returncode == 0 else made.stderr
            got = (run_c(written, rows, ["x"], ["prediction"], scratch) if language == "c99" else
                   {"sql": run_sql, "formula": run_formula}[language](written, rows, ["x"], ["prediction"], set()))
            for row, answer in zip(rows, got):
                if float(answer["prediction"]) != expected(float(row["x"])):
                    yield f"{language}, depth {depth}, x {row['x']}: {answer}, {expected(float(row['x']))} is expected"


def types_of_columns(options, scratch):
    """What is wrong with a query over columns that are absent or hold texts: both once gave wrong answers without a word."""
    text, expected = comb(20)
    model, query = scratch / "comb.json", scratch / "comb.sql"
    model.write_text(text)
    subprocess.run([options.binary, "codegen", model, "--target", "sql", "--keep", "id", "-o", query, "--quiet"], check=True)
    missing = 40.0  # the last leaf
    cases = [("9", expected(9)), ("10", expected(10)), (" 10.5 ", expected(10.5)), ("1e1", expected(10)), ("+3.25", expected(3.25)), (10, expected(10)),
             (2.5, expected(2.5)), ("TRUE", expected(1)), ("false", expected(0)), ("", missing), ("NA", missing), (None, missing), ("10 ?", missing)]
    for kind in ("", "TEXT", "REAL", "NUMERIC", "BLOB"):
        for (cell, wanted), (kept, answer) in zip(cases, ask_sql(query.read_text(), ["id", "x"], [["0" + str(cell), cell] for cell, _ in cases], kind)[1]):
            if answer != wanted or kind == "TEXT" and kept != "0" + str(cell):
                yield f"a column {kind}, {cell!r}: {answer} beside {kept!r}, {wanted} is expected"
    for columns in (["id"], ["x"]):
        try:
            yield f"a table of {columns[0]} alone: {ask_sql(query.read_text(), columns, [['1']])[1]}, an error is expected"
        except sqlite3.OperationalError as why:
            if "no such column: t." not in str(why):
                yield f"a table of {columns[0]} alone: {why}"


def imported_table(options, scratch):
    """What is wrong with the answers for a csv that sqlite3 has imported: of 1899 labels 73 were others, borders being compared as texts."""
    model, table = tabular_test.DATA / "gbdt" / "xgboost" / "BinomialClassificationAudit.json", tabular_test.DATA / "tabular" / "Audit.csv"
    query, scored, rows = scratch / "audit.sql", scratch / "audit.csv", read_csv(table)
    subprocess.run([options.binary, "codegen", model, "--target", "sql", "--keep", "Age", "-o", query, "--quiet"], check=True)
    subprocess.run([options.binary, "score", model, table, "-o", scored, "--keep", "Age", "--quiet"], check=True)
    names, got = ask_sql(query.read_text(), list(rows[0]), [list(row.values()) for row in rows], "TEXT")
    mine, theirs = [dict(zip(names, map(str, row))) for row in got], read_csv(scored)
    if others := sum(a[name] != b[name] for a, b in zip(mine, theirs) for name in b if "(" not in name):
        yield f"{others} labels and kept cells differ"
    elif problem := against_score(mine, theirs, 1e-5, 2e-6):
        yield problem


def refusals():
    lines = (ROOT / "tests" / "table_codegen_refused.txt").read_text().split("\n")
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines if line and not line.startswith("#")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--filter", default="")
    parser.add_argument("--verbose", action="store_true", help="print every refusal as tests/table_codegen_refused.txt has it")
    options = parser.parse_args()
    if not (tabular_test.DATA / "gbdt").is_dir():
        print(f"SKIPPED models of tables as code: {tabular_test.DATA / 'gbdt'} is absent\n0 passed, 0 failed, 1 skipped")
        return 0
    listed, counts = refusals(), collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        cases = [*tabular_test.boosted_cases(scratch), *tabular_test.legacy_cases(scratch), *tabular_test.catboost_cases(),
                 *tabular_test.pmml_cases(scratch), *tabular_test.unit_cases(scratch), *tabular_test.onnx_cases(scratch)]
        for case in cases:
            # UBJSON holds the models of JSON.
            if case.kind == "xgboost-ubj" or options.filter not in f"{case.kind}:{case.name}":
                continue
            for language, (problem, note) in languages(case, options, scratch).items():
                key = f"{language}:{case.kind}:{case.name}"
                reason = listed.get(key) or listed.get(f"{case.kind}:{case.name}")
                if problem is None:
                    first = note.split("\n")[0]
                    coded = re.match(r"exit [24]: error ATH-\d{4} ", note)
                    if options.verbose:
                        print(f"REFUSED {key} {first}")
                    if coded and reason and reason in note:
                        counts[language, "refused"] += 1
                        continue
                    problem = note
                elif not problem and reason:
                    problem = "passes, but is listed in tests/table_codegen_refused.txt"
                if not problem and note:
                    counts["bit-equal", "passed"] += language == "c99"
                counts[language, "failed" if problem else "passed"] += 1
                if problem:
                    print(f"FAIL {key}: {problem[:700]}", flush=True)
        if not options.filter:
            problems = list(deep_trees(options, scratch))
            for problem in problems:
                print(f"FAIL deep trees: {problem}")
            counts["c99", "failed" if problems else "passed"] += 1
            problems = [*types_of_columns(options, scratch), *imported_table(options, scratch)]
            for problem in problems:
                print(f"FAIL a query's columns: {problem}")
            counts["sql", "failed" if problems else "passed"] += 1
    for language in ("c99", "sql", "formula"):
        print(f"{language}: {counts[language, 'passed']} passed, {counts[language, 'refused']} refused, {counts[language, 'failed']} failed")
    print(f"{counts['bit-equal', 'passed']} headers give the scorer's sums bit by bit")
    total = {what: sum(counts[language, what] for language in ("c99", "sql", "formula")) for what in ("passed", "failed", "refused")}
    print(f"{total['passed']} passed, {total['failed']} failed, {total['refused']} skipped")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
