#!/usr/bin/env python3
"""Fits the learned selector to measurements: src/kernels/conv/learned_table.cpp from bench documents.

  athanor bench --kernels conv --threads 1 --json > one.json
  athanor bench --kernels conv --threads 2 --json > two.json
  ATHANOR_ISA=base athanor bench --kernels conv --json > base.json
  python3 scripts/learn_kernels.py one.json two.json base.json -o src/kernels/conv/learned_table.cpp

One formula a kernel: the logarithm of measured over estimated time as a weighted sum of the features that
the document lists (src/kernels/conv/learned.cpp), by least squares with a penalty on the weights. Layers
count the more the closer a kernel is to the best of its layer: only there does its time decide. Of several
documents of one machine, instruction set and number of threads the fastest time counts, which others can only
raise. Kernels of instruction sets that no document measures keep the formulas that they have in the output. Printed is the regret on networks that the formulas did not see: each network is left out once.
"""
import argparse
import json
import re

import numpy

PENALTY = 0.05
OTHERS = "depthwise"  # kernels that compete with no convolution of this family


def samples(documents):
    """What is known of every kernel, in each layout, for every layer."""
    layers = {}
    for document in documents:
        setting = (document["cpu"], document["isa"], document["threads"])
        for layer in document["layers"]:
            rows = layers.setdefault((setting, layer["shape"]), {})
            for c in layer["candidates"]:
                row = {"kernel": c["kernel"], "features": c["features"],
                       "layer": (setting, layer["shape"]), "networks": set(layer["networks"]),
                       "cost": c["typical_us"], "measured": c["measured_us"]}
                known = rows.setdefault((c["kernel"], c["layout"]), row)
                known["measured"] = min(known["measured"], row["measured"])
    for rows in layers.values():
        best = min(row["measured"] for row in rows.values())
        yield from ({**row, "weight": best / row["measured"]} for row in rows.values())


def fit(rows):
    formulas = {}
    for kernel in sorted({row["kernel"] for row in rows if OTHERS not in row["kernel"]}):
        mine = [row for row in rows if row["kernel"] == kernel]
        a = numpy.array([row["features"] for row in mine])
        b = numpy.log([row["measured"] / row["cost"] for row in mine])
        w = numpy.array([row["weight"] for row in mine])[:, None]
        penalty = PENALTY * numpy.eye(a.shape[1])
        penalty[0, 0] = 0
        formulas[kernel] = numpy.linalg.solve(a.T @ (a * w) + penalty, a.T @ (b * w[:, 0]))
    return formulas


def regrets(rows, predict):
    """How much longer than the best the kernel with the least prediction runs, per layer."""
    layers = {}
    for row in rows:
        layers.setdefault(row["layer"], []).append((predict(row), row["measured"]))
    return [min(times)[1] / min(m for _, m in times) - 1 for times in layers.values()]


def report(name, values):
    values = numpy.array(values)
    print(f"{name:<28} within 5 %: {100 * numpy.mean(values <= 0.05):5.1f} %   "
          f"mean regret {100 * numpy.mean(values):5.2f} %   worst {100 * values.max():5.1f} %")


def learned(formulas):
    def predict(row):
        weights = formulas.get(row["kernel"])
        return row["cost"] * (1 if weights is None else numpy.exp(weights @ row["features"]))
    return predict


def kept(path, formulas):
    """Sources and formulas of the table at `path` whose instruction set was not measured now."""
    text = open(path).read()
    measured = {kernel.rsplit(".", 1)[1] for kernel in formulas}
    sources = [source for source in re.findall(r"^//   (.+)$", text, re.M) if source.split(", ")[1] not in measured]
    rows = {kernel: [float(w) for w in weights.split(",")]
            for kernel, weights in re.findall(r'\{"([^"]+)",\s*\{([^}]+)\}', text) if kernel.rsplit(".", 1)[1] not in measured}
    return sources, rows


def table(formulas, documents, path):
    sources, older = kept(path, formulas)
    sources = sorted({f"{d['cpu']}, {d['isa']}, {d['threads']} thread(s)" for d in documents} | set(sources))
    lines = ["// Written by scripts/learn_kernels.py from measurements on:"]
    lines += [f"//   {source}" for source in sources]
    lines += ['#include "kernels/conv/learned.h"', "", "namespace athanor::kernels {", "",
              "std::span<const LearnedRow> LearnedRows() {", "  static constexpr LearnedRow kRows[] = {"]
    for kernel, weights in sorted({**formulas, **older}.items()):
        lines.append(f'      {{"{kernel}", {{{", ".join(f"{w:.3f}" for w in weights)}}}}},')
    lines += ["  };", "  return kRows;", "}", "", "}  // namespace athanor::kernels", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", nargs="+")
    parser.add_argument("-o", "--output", required=True)
    options = parser.parse_args()
    documents = [json.load(open(path)) for path in options.documents]
    rows = list(samples(documents))
    formulas = fit(rows)
    report("cost model", regrets(rows, lambda row: row["cost"]))
    report("learned, all seen", regrets(rows, learned(formulas)))
    unseen = []
    for network in sorted(set.union(*(row["networks"] for row in rows))):
        kept = [row for row in rows if network not in row["networks"]]
        left_out = [row for row in rows if network in row["networks"]]
        values = regrets(left_out, learned(fit(kept)))
        report(f"  without {network}", values)
        unseen += values
    report("learned, network unseen", unseen)
    text = table(formulas, documents, options.output)
    with open(options.output, "w") as file:
        file.write(text)
    print(f"wrote {options.output}; ./dev fmt, then build")


if __name__ == "__main__":
    main()
