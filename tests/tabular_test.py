#!/usr/bin/env python3
"""Tabular models of the data set against the answers recorded beside them, through `athanor score`.

    python3 tests/tabular_test.py [--binary build/test/bin/athanor] [--filter TEXT] [--verbose]

A case that the front ends do not cover must be refused with a coded error, and stand in
tests/tabular_refused.txt with a part of the reason; a listed case that passes must leave the list. Prints one
line per failure, the counts per format, and "N passed, N failed, N skipped" (refused cases count as skipped).
"""
import argparse
import csv
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("ATHANOR_DATA", ROOT.parent / "shared" / "data"))
MISSING = {"", "NA", "N/A", None}


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_csv(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


# ---- models cut to their first iterations, as X@31 wants them

def cut_xgboost(path, iterations, target):
    model = json.loads(path.read_text())
    booster = model["learner"]["gradient_booster"]["model"]
    groups = len(set(booster["tree_info"]))
    keep = iterations * groups * int(booster["gbtree_model_param"]["num_parallel_tree"])
    booster["trees"], booster["tree_info"] = booster["trees"][:keep], booster["tree_info"][:keep]
    booster["gbtree_model_param"]["num_trees"] = str(keep)
    if "weight_drop" in booster:
        booster["weight_drop"] = booster["weight_drop"][:keep]
    target.write_text(json.dumps(model, separators=(",", ":")))


def cut_lightgbm(path, iterations, target):
    text = path.read_text()
    keep = iterations * int(re.search(r"^num_tree_per_iteration=(\d+)", text, re.M)[1])
    sizes = re.search(r"^tree_sizes=(.*)$", text, re.M)[1].split()
    text = text.replace(" ".join(sizes), " ".join(sizes[:keep]), 1)
    begin, end = text.find(f"Tree={keep}\n"), text.find("end of trees")
    target.write_text(text if begin < 0 else text[:begin] + text[end:])


# ---- cases

class Case:
    def __init__(self, kind, name, model, table, expected, rtol, atol, columns=None):
        self.kind, self.name, self.model, self.table, self.expected = kind, name, model, table, expected
        self.rtol, self.atol = rtol, atol
        self.columns = columns  # expected column -> ours; None: the same names


def boosted_columns(expected):
    """What XGBoost's and LightGBM's expected files call things, and what we do."""
    names = list(expected[0])
    ours = {}
    targets = [name for name in names if re.fullmatch(r"_target\d*", name)]
    for name in names:
        several = re.fullmatch(r"probability\((_target\d), (\d)\)", name)
        if name in targets:
            base = "label" if any(n.startswith("probability") for n in names) else "prediction"
            ours[name] = base if len(targets) == 1 else f"{base}({targets.index(name)})"
        elif several and several[2] == "1":
            ours[name] = f"probability({targets.index(several[1])})"
        elif not several:
            ours[name] = name
    return ours


def one_hot(rows):
    """The table that AuditBin was trained on: VALUE columns Name_Category of 0 and 1."""
    result = []
    for row in rows:
        wide = {}
        for name, value in row.items():
            if re.fullmatch(r"[-\d.]+|NA|N/A|", value):
                wide[name] = value
            else:
                wide[f"{name}_{value.capitalize() if value.isupper() and value in ('TRUE', 'FALSE') else value}"] = "1"
        result.append(wide)
    names = sorted({name for row in result for name in row})
    return [{name: row.get(name, "0") for name in names} for row in result]


def boosted_cases(scratch):
    for kind, endings, cut, rtol in [("xgboost", ["json", "ubj"], cut_xgboost, 1e-5),
                                     ("lightgbm", ["txt"], cut_lightgbm, 1e-9)]:
        folder = DATA / "gbdt" / kind
        for expected in sorted(folder.glob("*.expected.csv")):
            name = expected.name.removesuffix(".expected.csv")
            base, _, iterations = name.partition("@")
            tables = sorted((folder / "data").glob("*.csv"), key=lambda path: -len(path.stem))
            table = next((path for path in tables if base.removesuffix("Bin").endswith(path.stem)), None)
            rows = read_csv(expected)
            for ending in endings:
                model = folder / f"{base}.{ending}"
                if iterations:
                    if ending == "ubj":
                        continue
                    model = scratch / f"{kind}-{name}.{ending}"
                    cut(folder / f"{base}.{ending}", int(iterations), model)
                source = table
                if base.endswith("Bin"):
                    source = scratch / f"{base}.csv"
                    write_csv(source, one_hot(read_csv(table)))
                label = kind if ending != "ubj" else "xgboost-ubj"
                yield Case(label, name, model, source, rows, rtol, 1e-7 if kind == "xgboost" else 1e-12,
                           boosted_columns(rows))


def catboost_cases():
    folder = DATA / "gbdt" / "catboost"
    for expected in sorted(folder.glob("*.expected.csv")):
        name = expected.name.removesuffix(".expected.csv")
        table = next(path for path in (folder / "data").glob("*.csv") if name.endswith(path.stem))
        rows = read_csv(expected)
        yield Case("catboost", name, folder / f"{name}.cbm", table, rows, 1e-9, 1e-12, boosted_columns(rows))


def indicators(rows, fmap):
    """The matrix that a feature map makes of a table: 1 or 0 where a column has a value or another, the rest as it is."""
    matrix = []
    features = [line.split()[1:] for line in fmap.read_text().splitlines()]
    for row in rows:
        cells = {}
        for name, kind in features:
            column, equals, value = name.partition("=")
            cells[name] = row[column] if kind != "i" or not equals else "1" if row[column] == value else "0"
        matrix.append(cells)
    return matrix


def legacy_cases(scratch):
    """XGBoost's old binary files have no names: the table is a matrix."""
    folder = DATA / "gbdt" / "xgboost"
    for expected in sorted((folder / "legacy").glob("*.expected.csv")):
        name = expected.name.removesuffix(".expected.csv")
        table = next(path for path in (folder / "data").glob("*.csv") if name.endswith(path.stem))
        matrix = scratch / f"{name}.csv"
        write_csv(matrix, indicators(read_csv(table), table.with_suffix(".fmap")))
        rows = read_csv(expected)
        yield Case("xgboost-legacy", name, expected.with_name(f"{name}.model"), matrix, rows, 1e-5, 1e-7, boosted_columns(rows))


def pmml_cases(scratch):
    folder = DATA / "pmml"
    for row in read_csv(folder / "cases.csv"):
        model = folder / row["tool"] / f"{row['case']}.pmml"
        expected = read_csv(model.with_suffix("").with_suffix(".expected.csv"))
        columns = {name: name for name in expected[0]}
        if row["tool"] == "rattle" and row["case"] in ("GBMAuto", "LibSVMAuto"):
            columns.pop("mpg", None)
            columns.pop("Predicted_mpg", None)
            columns.pop("predictedValue", None)
        if row["tool"] == "sas":
            columns = ({"U_Species": "U_Species"} if "Iris" in row["case"] else
                       {"EM_CLASSIFICATION": "Adjusted", "EM_EVENTPROBABILITY": "P_Adjusted1"})
        tolerance = float(row["tolerance"])
        table = folder / row["tool"] / row["input"]
        if row["top_element"] == "AssociationModel":
            table = one_row_per_transaction(table, scratch / "transactions.csv")
        yield Case("pmml", f"{row['tool']}/{row['case']}", model, table, expected, tolerance, tolerance, columns)


def one_row_per_transaction(table, target):
    """A table of (transaction, item) as one row per transaction, its items in one cell."""
    items = {}
    for row in read_csv(table):
        items.setdefault(row["transaction"], []).append(row["item"])
    write_csv(target, [{"transaction": key, "item": "|".join(of)} for key, of in items.items()])
    return target


# What the cases ask of a model beside its <Output>, as the output field that gives it.
ASKED = {"entityId": 'feature="entityId"', "selected rule id": 'feature="entityId"', "nearest id": 'feature="entityId"'}


def output_fields(text, case):
    """The <OutputField>s for what a case expects and the model does not give out by itself."""
    fields = []

    def add(name, attributes, content=""):
        if f'<OutputField name="{name}"' not in text:
            fields.append(f'<OutputField name="{name}" {attributes}>{content}</OutputField>')

    for name, value in case["expected"].items():
        if "note" in case:  # the value of a derived field
            add(name, 'feature="transformedValue"', f'<FieldRef field="{name}"/>')
        elif name in ASKED:
            add(name, ASKED[name])
        elif isinstance(value, dict):
            for key in value:
                add(f"{name}({key})", f'feature="{name}" value="{key}"')
        elif name == "nearest distances":
            for rank in range(1, len(value) + 1):
                add(f"{name}({rank})", f'feature="affinity" rank="{rank}"')
    return "".join(fields)


def unit_cases(scratch):
    """One row each; `override` changes an attribute of the model first."""
    folder = DATA / "pmml" / "unit"
    for number, case in enumerate(json.loads((folder / "cases.json").read_text())):
        text = (folder / f"{case['model']}.pmml").read_text()
        for place, value in case.get("override", {}).items():
            if place == "remove training instance":
                rows = list(re.finditer(r"<row>.*?</row>", text, re.S))
                text = text[:rows[value].start()] + text[rows[value].end():]
                continue
            *element, attribute = place.split(" ")
            pattern = rf'(<{element[0] if element else "[A-Za-z]+"}\b[^>]*\b{attribute}=")[^"]*(")'
            text, count = re.subn(pattern, lambda m, value=value: m[1] + str(value) + m[2], text, count=1)
            if count == 0:
                text = re.sub(rf'(<{element[0] if element else "TreeModel"})\b', rf'\1 {attribute}="{value}"', text, count=1)
        if asked := output_fields(text, case):
            place = "</Output>" if "</Output>" in text else "</MiningSchema>"
            asked = asked + place if place == "</Output>" else f"{place}<Output>{asked}</Output>"
            text = text.replace(place, asked, 1)
        model = scratch / f"unit{number}.pmml"
        model.write_text(text)
        arguments = {name: "" if value is None else str(value).lower() if isinstance(value, bool) else
                     "|".join(value) if isinstance(value, list) else str(value)
                     for name, value in case["arguments"].items()}
        fields = re.findall(r'<DataField[^>]*\bname="([^"]*)"', text)
        table = scratch / f"unit{number}.csv"
        write_csv(table, [{name: arguments.get(name, "") for name in fields}])
        target = re.search(r'<MiningField[^>]*(?:name="([^"]*)"[^>]*usageType="(?:target|predicted)"|'
                           r'usageType="(?:target|predicted)"[^>]*name="([^"]*)")', text)
        expected, columns = {}, {}
        for name, value in case["expected"].items():
            if isinstance(value, dict):
                for key, inner in value.items():
                    expected[f"{name}({key})"] = "" if inner is None else str(inner)
                    columns[f"{name}({key})"] = f"{name}({key})"
                continue
            if name == "nearest distances":
                for rank, distance in enumerate(value, 1):
                    columns[f"{name}({rank})"] = f"{name}({rank})"
                    expected[f"{name}({rank})"] = str(distance)
                continue
            if name in ("antecedent", "consequent"):
                value = "{" + ",".join(value) + "}"
            if isinstance(value, list):
                value = "|".join(value)
            expected[name] = "" if value is None else str(value)
            columns[name] = name if name not in ("(target)", "score") else (target[1] or target[2]) if target else "prediction"
        tolerance = case.get("tolerance", 1e-9)
        yield Case("pmml-unit", f"unit/{case['model']}#{number}", model, table, [expected], tolerance, tolerance, columns)


def onnx_cases(scratch):
    """Small models of ai.onnx.ml that tests/oracles/record_onnx_ml.py made, with what ONNX Runtime answers. The table is a matrix."""
    with tarfile.open(ROOT / "tests" / "oracles" / "onnx_ml.tar.xz") as archive:
        folder = scratch / "onnx_ml"
        archive.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else archive.extractall(folder)
    for expected in sorted((scratch / "onnx_ml").glob("*.expected.csv")):
        name = expected.name.removesuffix(".expected.csv")
        rows = read_csv(expected)
        yield Case("onnx", name, expected.with_name(f"{name}.onnx"), expected.with_name(f"{name}.csv"), rows, 1e-5, 1e-5,
                   {column: column for column in rows[0]})


# ---- running and comparing

def same(expected, actual, case):
    if expected in MISSING and actual in MISSING:
        return True
    try:
        a, b = float(expected), float(actual)
    except (TypeError, ValueError):
        return expected == actual
    return a == b or math.isclose(a, b, rel_tol=case.rtol, abs_tol=case.atol)


def compare(case, answers):
    """What is wrong; '' when nothing is."""
    if len(answers) != len(case.expected):
        return f"{len(answers)} rows, {len(case.expected)} are expected"
    columns = case.columns
    checked = 0
    for name, ours in columns.items():
        if not answers or ours not in answers[0]:
            continue
        checked += 1
        for line, (want, got) in enumerate(zip(case.expected, answers), 2):
            if not same(want[name], got[ours], case):
                return f"line {line}, {name}: {got[ours]!r}, {want[name]!r} is expected"
    if checked == 0:
        return f"none of {sorted(columns.values())} is among the answers {list(answers[0]) if answers else []}"
    if case.kind != "pmml" and checked < len(columns):
        return f"of {sorted(columns.values())} only {checked} are among the answers {list(answers[0])}"
    return ""


def refused_list():
    """NAME -> part of the reason, of tests/tabular_refused.txt."""
    lines = (ROOT / "tests" / "tabular_refused.txt").read_text().split("\n")
    return {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in lines if line and not line.startswith("#")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "build" / "test" / "bin" / "athanor"))
    parser.add_argument("--filter", default="")
    parser.add_argument("--verbose", action="store_true", help="print every refusal with its reason")
    options = parser.parse_args()
    if not (DATA / "gbdt").is_dir():
        print(f"SKIPPED tabular models: {DATA / 'gbdt'} is absent")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    listed, counts = refused_list(), {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)
        out = scratch / "out.csv"
        for case in [*boosted_cases(scratch), *legacy_cases(scratch), *catboost_cases(), *pmml_cases(scratch), *unit_cases(scratch),
                     *onnx_cases(scratch)]:
            key = f"{case.kind}:{case.name}"
            if options.filter not in key:
                continue
            count = counts.setdefault(case.kind, {"passed": 0, "refused": 0, "failed": 0})
            run = subprocess.run([options.binary, "score", case.model, case.table, "-o", out, "--quiet"],
                                 capture_output=True, text=True, check=False)
            expected_reason = listed.get(key)
            if run.returncode != 0:
                message = run.stderr.strip()
                coded = re.match(r"error ATH-(\d)\d{3} ", message) is not None and run.returncode == 2
                if coded and expected_reason and expected_reason in message:
                    count["refused"] += 1
                    if options.verbose:
                        print(f"REFUSED {key}: {message.splitlines()[0]}")
                    continue
                problem = f"exit {run.returncode}: {message[:600]}"
            else:
                problem = compare(case, read_csv(out))
                if not problem and expected_reason:
                    problem = "passes, but is listed in tests/tabular_refused.txt"
            if problem:
                count["failed"] += 1
                print(f"FAIL {key}: {problem}", flush=True)
            else:
                count["passed"] += 1
    for kind, count in counts.items():
        print(f"{kind}: {count['passed']} passed, {count['refused']} refused, {count['failed']} failed")
    total = {what: sum(count[what] for count in counts.values()) for what in ("passed", "refused", "failed")}
    print(f"{total['passed']} passed, {total['failed']} failed, {total['refused']} skipped")
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
