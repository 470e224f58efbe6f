"""One engine with one network in a process of its own. bench/peers/driver.py talks to it, one JSON document a line.

The first line is the job. The answer to it, and to each command after it:

    {"ready_ms", "base_kib", "peak_kib"} | {"skip"} | {"error"}      load to first result; memory
    {"do": "save", "path"}     -> {}                                 outputs of one run as .npz: 0, 1, ...
    {"do": "run", "seconds"}   -> {"ns": [...], "cpu_ns": [...], "wall_ns", "peak_kib"}   a warm-up, then timed runs

A job with "calls" times so many calls together, each time being their mean: the clock takes as long as a row of a table.
"cpu_ns" is what all threads of the process computed during each run. With "streams" > 1 each stream has an engine and a
thread of its own; "ns" then holds the times of all of them, and "cpu_ns" nothing of use.
"""
import importlib
import json
import os
import sys
import threading
import time

WARM_UP = 0.1  # of the seconds of a slice
MIN_RUNS = 3


def peak_kib():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def timed_runs(engine, seconds, min_runs, calls):
    times = []  # (wall, computed)
    clock, computed = time.perf_counter_ns, time.process_time_ns
    end = clock() + int(seconds * 1e9)
    while len(times) < min_runs or clock() < end:
        computed_begin = computed()
        begin = clock()
        if calls == 1:
            engine.run()
        else:
            engine.repeat(calls)
        wall = clock() - begin
        times.append((wall / calls, (computed() - computed_begin) / calls))
    return times


def run(engines, seconds, calls):
    for engine in engines:
        timed_runs(engine, seconds * WARM_UP / len(engines), 1, calls)
    results = [[] for _ in engines]

    def stream(index):
        results[index] = timed_runs(engines[index], seconds, MIN_RUNS, calls)

    threads = [threading.Thread(target=stream, args=(i,)) for i in range(1, len(engines))]
    begin = time.perf_counter_ns()
    for thread in threads:
        thread.start()
    stream(0)
    for thread in threads:
        thread.join()
    wall = time.perf_counter_ns() - begin
    return {"ns": [t for times in results for t, _ in times], "cpu_ns": [c for times in results for _, c in times], "wall_ns": wall,
            "peak_kib": peak_kib()}


def start(job):
    import numpy as np
    kinds = importlib.import_module(job.get("module", "engines")).ENGINES
    with np.load(job["inputs"]) as file:
        inputs = {name: np.ascontiguousarray(file[name]) for name in job["shapes"]}
    base = peak_kib()
    running = [kinds[job["engine"]](job) for _ in range(job["streams"])]
    begin = time.perf_counter_ns()
    for engine in running:
        engine.load()
        engine.bind(inputs)
        engine.run()
    ready = (time.perf_counter_ns() - begin) / 1e6
    return running, {"ready_ms": ready, "base_kib": base, "peak_kib": peak_kib()}


def save(engine, path):
    import numpy as np
    np.savez(path, *[np.asarray(array) for array in engine.outputs(engine.run())])
    return {}


def serve(commands, answer):
    import engines
    try:
        job = json.loads(commands.readline())
        running, ready = start(job)
        answer(ready)
        for line in commands:
            command = json.loads(line)
            answer(save(running[0], command["path"]) if command["do"] == "save" else run(running, command["seconds"], job.get("calls", 1)))
    except engines.Skip as why:
        answer({"skip": str(why)})
    except Exception as fault:  # of the engine: its text goes into the report
        answer({"error": f"{type(fault).__name__}: {fault}"[:400]})


def main():
    # Engines print as they like; the protocol keeps the real standard output for itself.
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(document):
        channel.write(json.dumps(document) + "\n")
        channel.flush()

    serve(sys.stdin, answer)
    channel.flush()
    os._exit(0)  # no engine's shutdown belongs to the measurement, and some crash in it


if __name__ == "__main__":
    main()
