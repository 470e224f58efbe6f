"""./dev peers --tabular: forests of boosted trees in this engine and in its peers, interleaved, in one run.

The models are trained here, on data made from a seed. Every engine runs in a process of its own, one at a time, in turn;
its sums are compared with those of the library that trained the model before anything is timed.
"""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np

import figures
import tree_engines
from driver import Worker, WorkerFault

FEATURES = 30
ROWS = (100_000, 1)
FEWER_ROWS = {"jpmml": (10_000,)}  # a run of 100 000 takes it minutes, and a pipe to its process longer than one row
# name -> trees, depth or leaves, and who trains it
MODELS = {
    "xgb-500x6": ("xgboost", 500, 6),
    "xgb-500x8": ("xgboost", 500, 8),
    "xgb-100x4": ("xgboost", 100, 4),
    "lgb-500x63": ("lightgbm", 500, 63),
    "cat-500x6": ("catboost", 500, 6),
    "pmml-100x6": ("jpmml", 100, 6),
}
TOLERANCE = 1e-5
SINGLE_ROWS = 4096  # different ones, in turn, where one row is scored at a time
CALLS = 256  # of one row that are timed together
HOPELESS = 4  # times slower than the best peer in the first round: the others of its kind decide, and one round is enough


def table(rows, seed):
    """Numbers of several shapes, some missing."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, FEATURES)).astype(np.float32)
    x[:, ::3] = np.round(np.exp(x[:, ::3]), 1)
    x[random.random(x.shape) < 0.02] = np.nan
    filled = np.nan_to_num(x)
    y = np.sin(filled[:, 0]) + filled[:, 1] * filled[:, 2] + np.abs(filled[:, 3:9]).sum(1) + random.normal(scale=0.3, size=rows)
    return x, y


def train(name, folder, athanor):
    """The model's files, made once. That of jpmml is XGBoost's, as we convert it: it has no model of its own."""
    source, trees, size = MODELS[name]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / {"xgboost": "model.json", "lightgbm": "model.txt", "catboost": "model.cbm", "jpmml": "model.pmml"}[source]
    files = {"source": source, source: str(path)}
    if source == "xgboost":
        files["onnx"] = str(folder / "model.onnx")
    if path.exists():
        return files
    x, y = table(40_000, 1)
    if source == "lightgbm":
        import lightgbm
        lightgbm.train({"objective": "regression", "num_leaves": size, "learning_rate": 0.05, "verbose": -1, "num_threads": 2},
                       lightgbm.Dataset(x, y), trees).save_model(str(path))
        return files
    if source == "catboost":
        import catboost
        catboost.CatBoost({"loss_function": "RMSE", "iterations": trees, "depth": size, "learning_rate": 0.05, "verbose": 0, "thread_count": 2,
                           "allow_writing_files": False}).fit(x, y).save_model(str(path))
        return files
    import xgboost
    names = [f"f{i}" for i in range(FEATURES)] if source == "jpmml" else None
    booster = xgboost.train({"objective": "reg:squarederror", "max_depth": size, "eta": 0.05, "nthread": 2},
                            xgboost.DMatrix(x, y, feature_names=names), trees)
    if source == "jpmml":
        booster.save_model(str(folder / "model.json"))
        subprocess.run([athanor, "convert", folder / "model.json", "-o", path, "--no-check", "--quiet"], check=True)
        return files
    booster.save_model(str(path))
    try:
        import onnxmltools
        from onnxmltools.convert.common.data_types import FloatTensorType
        model = onnxmltools.convert_xgboost(booster, initial_types=[("x", FloatTensorType([None, FEATURES]))], target_opset=15)
        onnxmltools.utils.save_model(model, files["onnx"])
    except Exception as why:  # pylint: disable=broad-except
        print(f"{name}: no ONNX file: {why}", file=sys.stderr)
    return files


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = options.output / "tabular"
        self.cores = sorted(os.sched_getaffinity(0))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = open(self.folder / "engines.log", "w", encoding="utf-8")  # pylint: disable=consider-using-with

    def job(self, engine, name, files, rows, threads):
        cache = self.folder / name / engine
        cache.mkdir(parents=True, exist_ok=True)
        inputs = self.folder / f"rows-{rows}.npz"
        np.savez(inputs, x=table(SINGLE_ROWS if rows == 1 else rows, 2)[0])
        return {"engine": engine, "module": "tree_engines", "variant": "default", "precision": "f32", "threads": threads, "batch": 1,
                "streams": 1, "rows": rows, "calls": CALLS if rows == 1 else 1, "files": files, "cache": str(cache), "shapes": ["x"], "inputs": str(inputs),
                "load_limit_s": 3600}  # compilers take their time

    def start(self, job):
        return Worker(sys.executable, job, self.cores[-job["threads"]:], self.log, {"PYTHONPATH": str(self.options.module)})

    def measure(self, name, files, rows, threads):
        """engine -> its figures, or why there are none."""
        results, workers, sums = {}, {}, {}
        engines = ["athanor", *[peer for peer in self.options.tree_peers if peer != "athanor"]]
        try:
            for engine in engines:
                path = self.folder / "outputs.npz"
                try:
                    workers[engine] = self.start(self.job(engine, name, files, rows, threads))
                    workers[engine].save(path)
                    with np.load(path) as file:
                        sums[engine] = file["arr_0"]
                except WorkerFault as fault:
                    results[engine] = {"skip" if fault.skip else "fault": str(fault)}
                    if engine in workers:
                        workers.pop(engine).close()
            expected = sums.get(files["source"])
            for engine in list(workers):
                error = figures.rel_l2(sums[engine], expected) if expected is not None else float("inf")
                results[engine] = {"rel_l2": error, "equal": bool(expected is not None and np.array_equal(sums[engine], expected))}
                if error > TOLERANCE:
                    results[engine]["fault"] = f"rel-L2 {error:.1e} from {files['source']}"
                    workers.pop(engine).close()
            slices = {engine: [] for engine in workers}
            for _ in range(self.options.rounds):
                for engine in contenders(slices):
                    slices[engine].append(workers[engine].run(self.options.seconds))
            for engine in workers:
                results[engine].update(figures.summarise(slices[engine], 1, threads))
                if not tree_engines.ENGINES[engine].in_process:
                    results[engine]["time"] = results[engine]["min"]
        finally:
            for worker in workers.values():
                worker.close()
        return results


def contenders(slices):
    """The engines to time in the next round: ours, and peers that may still be the best of their kind."""
    least = {engine: min(min(piece["ns"]) for piece in pieces) for engine, pieces in slices.items() if pieces}

    def hopeless(engine):
        kind = tree_engines.ENGINES[engine].kind
        return engine in least and engine != "athanor" and least[engine] > HOPELESS * min(
            time for peer, time in least.items() if peer != "athanor" and tree_engines.ENGINES[peer].kind == kind)
    return [engine for engine in slices if not hopeless(engine)]


def best(results, kind):
    """The fastest peer of a kind: (name, ms)."""
    timed = [(result["time"], engine) for engine, result in results.items()
             if "time" in result and engine != "athanor" and tree_engines.ENGINES[engine].kind == kind]
    return min(timed)[::-1] if timed else None


def line(row):
    """One row of the table: ours, then each peer with the ratio of its time to ours."""
    results = row["results"]
    ours = results.get("athanor", {}).get("time")
    unit, scale = ("us", 1e3) if row["rows"] == 1 else ("ms", 1)
    cells = [row["model"], f"{row['rows']}", f"{row['threads']}", f"{ours * scale:.2f} {unit}" if ours else "-"]
    for kind in ("interpreter", "compiled"):
        winner = best(results, kind)
        cells.append(f"{winner[0]} {winner[1] * scale:.2f}: {winner[1] / ours:.2f}x" if winner and ours else "-")
    others = [f"{engine} {result['time'] * scale:.2f}" for engine, result in results.items() if "time" in result and engine != "athanor"]
    return "| " + " | ".join([*cells, ", ".join(others)]) + " |"


def tables(document):
    head = ["| model | rows | threads | athanor | best interpreter | best compiled | all |", "|---|---|---|---|---|---|---|"]
    faults = [f"{row['model']} {engine}: {result['fault']}" for row in document["rows"] for engine, result in row["results"].items()
              if "fault" in result]
    return "\n".join([*head, *(line(row) for row in document["rows"]), *sorted(set(faults))])


def main(options):
    bench = Bench(options)
    document = {"schema": "athanor.trees/1", "load_begin": os.getloadavg(), "rows": []}
    names = [name for name in options.networks.split(",") if name] or list(MODELS)
    for name in names:
        files = train(name, bench.folder / name, options.build / "bin" / "athanor")
        files["library"] = tree_engines.library(str(options.build))
        for rows in FEWER_ROWS.get(files["source"], ROWS):
            for threads in map(int, options.threads.split(",")):
                if rows == 1 and threads > 1 or str(rows) not in options.rows.split(","):
                    continue
                row = {"model": name, "rows": rows, "threads": threads, "results": bench.measure(name, files, rows, threads)}
                document["rows"].append(row)
                print(line(row), file=sys.stderr, flush=True)
    document["load_end"] = os.getloadavg()
    path = pathlib.Path(options.output) / "tabular.json"
    path.write_text(json.dumps(document, indent=1))
    print(tables(document))
    return 0
