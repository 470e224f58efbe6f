#!/usr/bin/env python3
"""./dev peers: the same networks in this engine and in its peers, interleaved, in one run.

Every engine runs in a process of its own, one at a time, in turn (A B C A B C ...). Before anything is timed its outputs
are compared with the others'; one that disagrees is reported as wrong and not timed. Prints a table of ratios, best
peer's time over ours, by groups of networks; writes peers.json and peers.svg. docs/performance.md explains the method.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np

import figures
import from_csv
import networks
import report
import tabular
import tree_engines
from driver import BusyNeighbour, Worker, WorkerFault
from engines import ENGINES

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("ATHANOR_DATA", ROOT.parent / "shared" / "data"))
# f16 keeps 11 bits of a number, bf16 8: BERT differs by 1e-2 then, in OpenVINO as here.
TOLERANCE = {"f32": 1e-4, "16bit": 2e-2}
# Whose outputs the others are compared with: the first that runs. Never ours.
REFERENCES = ("onnxruntime", "openvino", "torch", "mnn", "ncnn")
CONTENDED_MS = 5.0
SCHEMA = "athanor.peers/1"


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, options, maker):
        self.options, self.maker = options, maker
        self.cores = sorted(os.sched_getaffinity(0))
        self.log = open(maker.folder / "engines.log", "w", encoding="utf-8")  # pylint: disable=consider-using-with

    def variants(self, engine, network):
        """Settings of which the best counts."""
        kind = ENGINES[engine]
        names = kind.variants if self.options.precision == "f32" else getattr(kind, "low_variants", ())
        if engine == "openvino" and self.options.precision == "16bit":
            names = [f"{hint}@{precision}" for hint in kind.variants for precision in ("f16", "bf16", "f32")]
        if engine == "openvino" and "tflite" in network.files:
            names = [*names, *(f"{name}+tflite" for name in names)]
        return names

    def job(self, engine, variant, network, threads, batch, streams=1):
        hint, _, precision = variant.partition("@")
        cache = network.folder / "cache" / f"{engine}-{variant}-{threads}-{batch}-{streams}"
        cache.mkdir(parents=True, exist_ok=True)
        return {"engine": engine, "variant": hint, "precision": precision or "f32", "threads": threads, "batch": batch,
                "streams": streams, "files": network.files, "missing": network.missing, "cache": str(cache),
                "shapes": network.shapes(batch), "outputs": network.outputs, "inputs": str(network.input_file(batch))}

    def start(self, job):
        # One thread: the last core, the one that interrupts visit less.
        used = self.cores[-job["threads"] * job["streams"]:]
        environment = {"PYTHONPATH": str(self.options.module)}
        return Worker(self.maker.python, job, used, self.log, environment)

    def check(self, network, jobs, results):
        """Runs every engine once, which also fills its caches, and compares. Leaves the jobs whose answers are right."""
        outputs = {}
        for key, job in jobs.items():
            path = network.folder / "outputs.npz"
            try:
                worker = self.start(job)
                worker.save(path)
                worker.close()
                with np.load(path) as file:
                    outputs[key] = [file[name] for name in file.files]
            except WorkerFault as fault:
                results[key] = {"skip" if fault.skip else "fault": str(fault)}
        reference = next((key for name in REFERENCES for key in outputs if key[0] == name), None)
        right = {}
        for key, arrays in outputs.items():
            if reference is None:
                results[key] = {"fault": "no peer to compare with"}
                continue
            error = max((figures.rel_l2(a, b) for a, b in zip(arrays, outputs[reference])), default=float("inf"))
            error = error if len(arrays) == len(outputs[reference]) else float("inf")
            results[key] = {"rel_l2": error, "against": reference[0]}
            if error <= TOLERANCE[self.options.precision]:
                right[key] = jobs[key]
            else:
                results[key]["wrong"] = f"rel-L2 {error:.1e} from {reference[0]}"
        return right

    def measure(self, network, jobs, contended=False):
        """key -> result, with all engines in turn."""
        results, workers = {}, {}
        right = self.check(network, jobs, results)
        try:
            for key, job in right.items():
                try:
                    workers[key] = self.start(job)
                    results[key].update(workers[key].ready)
                except WorkerFault as fault:
                    results[key]["fault"] = str(fault)
            slices = self.rounds(workers, results)
            for key, pieces in slices.items():
                job = jobs[key]
                results[key].update(figures.summarise(pieces, job["batch"], job["threads"], job["streams"]))
                results[key]["peak_kib"] = max(piece["peak_kib"] for piece in pieces)
            if contended:
                self.contend(workers, results)
        finally:
            for worker in workers.values():
                worker.close()
        for _ in range(self.options.loads - 1):
            for key in workers:
                self.load_again(jobs[key], results[key])
        return results

    def load_again(self, job, result):
        """A fresh process until its first result; the caches are warm by now."""
        try:
            worker = self.start(job)
        except WorkerFault as fault:
            result["fault"] = str(fault)
            return
        worker.close()
        result["ready_ms"] = min(result["ready_ms"], worker.ready["ready_ms"])

    def rounds(self, workers, results):
        """Rounds until enough were quiet, or twice as many as asked for."""
        slices = {key: [] for key in workers}
        quiet = turn = 0
        while quiet < self.options.rounds and turn < 2 * self.options.rounds and workers:
            disturbed = False
            order = list(workers)
            for key in order[turn % len(order):] + order[:turn % len(order)]:
                try:
                    piece = workers[key].run(self.options.seconds)
                except WorkerFault as fault:
                    results[key]["fault"] = str(fault)
                    workers.pop(key).close()
                    slices.pop(key)
                    continue
                slices[key].append(piece)
                disturbed |= figures.is_noisy(piece["noise"])
            quiet += not disturbed
            turn += 1
        return slices

    def contend(self, workers, results):
        """Once more with one core taken by somebody else; the fastest variant of each engine."""
        best = figures.best_of(results, "time")
        neighbour = BusyNeighbour(self.cores[-1])
        try:
            for engine, result in best.items():
                key = (engine, result["variant"])
                pieces = [workers[key].run(self.options.seconds) for _ in range(2)]
                times = [t for piece in pieces for t in piece["ns"]]
                results[key]["contended_median"] = figures.percentile(times, 50) / 1e6
        finally:
            neighbour.close()

    def row(self, network, threads, batch):
        jobs = {}
        streams = [1] if batch == 1 or threads == 1 else [1, threads]
        for engine in [figures.OURS, *self.options.peers]:
            for variant in self.variants(engine, network):
                for count in streams:
                    name = variant if count == 1 else f"{variant} x{count}"
                    jobs[engine, name] = self.job(engine, variant, network, threads // count, batch, count)
        contended = self.options.contended and threads > 1 and batch == 1
        results = self.measure(network, jobs, contended)
        return {"network": network.name, "group": network.group, "threads": threads, "batch": batch,
                "precision": self.options.precision, "flops": network.flops * batch,
                "results": [{"engine": engine, "variant": variant, **result} for (engine, variant), result in results.items()]}


def versions(python, peers):
    names = {"mnn": "MNN"}
    found = {}
    for peer in peers:
        code = f"import importlib.metadata as m; print(m.version('{names.get(peer, peer)}'))"
        run = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        if run.returncode == 0:
            found[peer] = run.stdout.strip()
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    every = [name for name in ENGINES if name != figures.OURS]
    parser.add_argument("--networks", default="", help="names separated by commas; all by default")
    parser.add_argument("--peers", default=",".join(every), help="of " + ", ".join(every))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--precision", choices=sorted(TOLERANCE), default="f32")
    parser.add_argument("--batches", default="1", help="1,16 adds throughput in batches of 16 where networks allow it")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of one slice")
    parser.add_argument("--loads", type=int, default=2, help="fresh processes that load the network, caches warm")
    parser.add_argument("--contended", action="store_true", help="also with one core taken by another process")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 0.15 s, one load")
    parser.add_argument("--fresh", action="store_true", help="make the networks' files anew")
    parser.add_argument("--list", action="store_true", help="the networks and their groups")
    parser.add_argument("--tabular", action="store_true", help="boosted trees beside their peers; --networks names models")
    parser.add_argument("--rows", default="100000,10000,1", help="of tables that --tabular scores")
    parser.add_argument("--csv", action="store_true", help="boosted trees from csv beside the same in process; --networks names models")
    parser.add_argument("--output", type=pathlib.Path, default=ROOT / "build" / "peers")
    parser.add_argument("--from-json", type=pathlib.Path, help="print the tables of an earlier run")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release", help="where athanor was built")
    options = parser.parse_args()
    options.module = options.build.resolve() / "python"
    if options.tabular:
        every = list(tree_engines.ENGINES)
        options.peers = ",".join(every) if options.peers == parser.get_default("peers") else options.peers
    options.peers = [name for name in options.peers.split(",") if name]
    options.tree_peers = options.peers
    for name in options.peers:
        if name not in every:
            parser.error(f"there is no peer {name!r}; there are {', '.join(every)}")
    if options.quick:
        options.rounds, options.seconds, options.loads = 2, 0.15, 1
    return options


def chosen_networks(options, maker):
    names = maker.names()
    wanted = [name for name in options.networks.split(",") if name] or names
    unknown = [name for name in wanted if name not in names]
    if unknown:
        sys.exit(f"there is no network {', '.join(unknown)}; --list shows them")
    return wanted


def run(options, maker):
    there = versions(sys.executable, options.peers)
    for peer in options.peers:
        if peer not in there:
            say(f"{peer} is not installed: it is left out")
    options.peers = [peer for peer in options.peers if peer in there]
    document = {"schema": SCHEMA, "machine": report.machine(maker.call), "versions": there, "settings": {
        "rounds": options.rounds, "seconds": options.seconds, "precision": options.precision}, "load_begin": os.getloadavg(),
        "rows": [], "refused": {}}
    bench = Bench(options, maker)
    for name in chosen_networks(options, maker):
        begin = time.time()
        try:
            network = maker.make(name)
        except (RuntimeError, OSError) as why:
            document["refused"][name] = str(why)
            say(f"{name}: {why}")
            continue
        for batch in map(int, options.batches.split(",")):
            if batch != 1 and not network.batches():
                continue
            for threads in map(int, options.threads.split(",")):
                row = bench.row(network, threads, batch)
                document["rows"].append(row)
                say(report.row_line(row))
                save(document, options.output)
        say(f"{name} took {time.time() - begin:.0f} s")
    return document


def save(document, folder):
    document["load_end"] = os.getloadavg()
    partial = folder / "peers.partial.json"
    partial.write_text(json.dumps(document, indent=1))
    partial.replace(folder / "peers.json")
    (folder / "peers.svg").write_text(report.plot(document))


def main():
    options = arguments()
    if options.from_json:
        print(report.tables(json.loads(options.from_json.read_text())))
        return 0
    options.output.mkdir(parents=True, exist_ok=True)
    if options.csv:
        return from_csv.main(options)
    if options.tabular:
        return tabular.main(options)
    folder = options.output / "networks"
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    maker = networks.Maker(options.build / "bin" / "athanor", sys.executable, folder, DATA)
    if options.list:
        for name in maker.names():
            print(f"{name:28} {figures.group_of(name)}")
        return 0
    document = run(options, maker)
    print(report.tables(document))
    say(f"wrote {options.output / 'peers.json'} and {options.output / 'peers.svg'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
