"""./dev peers --csv: what `athanor score` keeps of a forest's speed when the rows come as csv.

One run, in turn: the forest in process, over a matrix that is in memory (the C interface), and `athanor score` as a user
calls it, from the start of the program to the answers in a file. Numbers are written with as many digits as tell one f32
from the next, missing ones as empty cells. The answers of both must be the same floats, bit by bit.
"""
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

import tabular
import tree_engines
from driver import Worker

MODELS = ("xgb-500x6", "xgb-500x8")
ROWS = (100_000, 1_000_000)
DISTINCT = 100_000  # rows; a longer table repeats them


def make_table(folder, rows):
    path = folder / f"rows-{rows}.csv"
    if not path.exists():
        x = tabular.table(DISTINCT, 2)[0]
        body = "".join(",".join("" if number != number else str(number) for number in row) + "\n" for row in x)
        with open(path.with_suffix(".part"), "w", encoding="ascii") as file:
            file.write(",".join(f"c{i}" for i in range(tabular.FEATURES)) + "\n")
            for _ in range(rows // DISTINCT):
                file.write(body)
        path.with_suffix(".part").rename(path)
    return path


class Scorer:
    """`athanor score`, as a program."""

    def __init__(self, program, model, table, threads, cores):
        self.answers = table.with_suffix(".answers.csv")
        self.command = [program, "score", model, table, "-o", self.answers, "--threads", threads, "--json", "--quiet"]
        self.cores = cores
        self.wall, self.cpu = [], []

    def run(self):
        begin = time.perf_counter()
        process = subprocess.Popen([str(word) for word in self.command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,  # pylint: disable=subprocess-popen-preexec-fn
                                   preexec_fn=lambda: os.sched_setaffinity(0, self.cores))
        process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{self.command} ended with {process.returncode}")
        self.wall.append(time.perf_counter() - begin)
        self.cpu.append(usage.ru_utime + usage.ru_stime)

    def same(self, sums):
        with open(self.answers, encoding="ascii") as file:
            next(file)
            return np.array_equal(np.array([float(file.readline()) for _ in range(DISTINCT)], np.float32), sums.astype(np.float32))


def measure(bench, program, name, threads):
    """Medians in ms per 10^5 rows; CPU time where one thread works."""
    files = tabular.train(name, bench.folder / name, program)
    files["library"] = tree_engines.library(str(bench.options.build))
    worker = bench.start(bench.job("athanor", name, files, DISTINCT, threads))
    scorers = [Scorer(program, files["xgboost"], make_table(bench.folder, rows), threads, set(bench.cores[-threads:])) for rows in ROWS]
    in_process = []
    try:
        path = bench.folder / "outputs.npz"
        worker.save(path)
        for _ in range(bench.options.rounds):
            for scorer in scorers:
                in_process += worker.run(bench.options.seconds)["cpu_ns" if threads == 1 else "ns"]
                scorer.run()
        with np.load(path) as file:
            sums = file["arr_0"]
    finally:
        worker.close()
    few, many = (1e3 * statistics.median(scorer.cpu if threads == 1 else scorer.wall) for scorer in scorers)
    times = {"in_process": statistics.median(in_process) / 1e6, "few": few, "many": many * ROWS[0] / ROWS[1],
             "more": (many - few) * ROWS[0] / (ROWS[1] - ROWS[0])}
    return {"model": name, "threads": threads, "ms": times, "same": all(scorer.same(sums) for scorer in scorers)}


def line(row):
    ms = row["ms"]
    cells = [f"{ms[key]:.1f} ms ({ms['in_process'] / ms[key]:.0%})" for key in ("few", "many", "more")]
    return f"| {row['model']} | {row['threads']} | {ms['in_process']:.1f} ms | {' | '.join(cells)} | {'the same' if row['same'] else 'OTHERS'} |"


def main(options):
    bench = tabular.Bench(options)
    rows = []
    for name in [name for name in options.networks.split(",") if name] or MODELS:
        for threads in map(int, options.threads.split(",")):
            rows.append(measure(bench, options.build / "bin" / "athanor", name, threads))
            print(line(rows[-1]), file=sys.stderr, flush=True)
    (options.output / "csv.json").write_text(json.dumps({"schema": "athanor.csv/1", "load_end": os.getloadavg(), "rows": rows}, indent=1))
    print("time of 10^5 rows (share of the speed in process that is kept)\n")
    print("| model | threads | in process | score, of 10^5 rows | score, of 10^6 rows | score, of each 10^5 rows more | answers |")
    print("|---|---|---|---|---|---|---|")
    print("\n".join(map(line, rows)))
    return 0 if all(row["same"] for row in rows) else 1
