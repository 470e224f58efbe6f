#!/usr/bin/env python3
"""Quantised networks beside their floats, beside ONNX Runtime and OpenVINO on the same file, and beside ncnn on the same topology.

    ./dev peers --int8 [resnet50 mobilenet_v2 net_float.onnx,net_int8.onnx ...] [--threads 1,2] [--athanor build/release/bin/athanor]

A name of the zoo is quantised first, on four random samples, and written as ONNX with pairs of QuantizeLinear and DequantizeLinear; a pair of
files is taken as it is. Rounds go float, int8, ONNX Runtime, OpenVINO, ncnn, float ...; the fastest run of each counts. A peer (PyPI: onnxruntime,
openvino, ncnn) is left out where it is not installed or does not read the file; ncnn's is made from the float file by ncnn_int8.py.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np

import ncnn_int8

try:
    import onnxruntime
except ImportError:
    onnxruntime = None
try:
    import openvino
except ImportError:
    openvino = None
try:
    import ncnn
except ImportError:
    ncnn = None


NETWORKS = ["resnet50", "mobilenet_v1", "mobilenet_v2", "resnet18", "squeezenet1_1"]
PEERS = ("ort", "openvino", "ncnn")


class Ours:
    def __init__(self, athanor, file, threads):
        self.command = [athanor, "bench", file, "--threads", str(threads), "--json"]

    def fastest(self, seconds):
        result = subprocess.run(self.command + ["--time", str(seconds)], capture_output=True, text=True, check=True)
        return json.loads(result.stdout)["latency_ms"]["min"]


class Peer:
    """`self.run` runs the network once."""

    def fastest(self, seconds):
        best, end = float("inf"), time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.perf_counter()
            self.run()
            best = min(best, time.perf_counter() - start)
        return 1e3 * best


class OnnxRuntime(Peer):
    def __init__(self, file, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        types = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8, "tensor(int8)": np.int8}
        feeds = {x.name: np.ones([dim if isinstance(dim, int) else 1 for dim in x.shape], types[x.type])
                 for x in session.get_inputs()}
        self.run = lambda: session.run(None, feeds)


class OpenVino(Peer):
    def __init__(self, file, threads):
        model = openvino.Core().read_model(file)
        model.reshape({port: [dim.get_length() if dim.is_static else 1 for dim in port.partial_shape] for port in model.inputs})
        compiled = openvino.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads})
        request = compiled.create_infer_request()
        feeds = [np.ones(list(port.shape), port.element_type.to_dtype()) for port in compiled.inputs]
        self.run = lambda: request.infer(feeds)


class Ncnn(Peer):
    """On floats written by athanor and made bytes here; unlike the others it needs a batch of one."""

    def __init__(self, athanor, plain, threads):
        param = pathlib.Path(plain).with_suffix(".param")
        subprocess.run([athanor, "convert", plain, "-o", param, "--no-check"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        small = param.with_suffix(".int8.param")
        ncnn_int8.quantise(param, small)
        self.net = ncnn.Net()
        self.net.opt.num_threads = threads
        if self.net.load_param(str(small)) != 0 or self.net.load_model(str(small.with_suffix(".bin"))) != 0:
            raise ValueError("ncnn refuses the file")
        (image,) = json.loads(subprocess.run([athanor, "inspect", plain, "--json"], capture_output=True, text=True, check=True).stdout)["inputs"]
        self.image = ncnn.Mat(np.ones([int(dim) for dim in image["shape"][1:]], np.float32))
        self.input, self.output = self.net.input_names()[0], self.net.output_names()[0]
        if not np.isfinite(np.array(self.run())).all():
            raise ValueError("ncnn's answers are not finite")

    def run(self):
        with self.net.create_extractor() as extractor:
            extractor.input(self.input, self.image)
            return extractor.extract(self.output)[1]


def files_of(athanor, network, folder):
    """The float file and the quantised one."""
    if "," in network:
        return network.split(",")
    plain, quantised = (os.path.join(folder, f"{network}.{kind}.onnx") for kind in ("float", "int8"))
    if not os.path.exists(quantised):
        run = lambda *words: subprocess.run([athanor, *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        run("zoo", network, "-o", plain)
        described = json.loads(subprocess.run([athanor, "inspect", plain, "--json"], capture_output=True, text=True, check=True).stdout)
        image = described["inputs"][0]
        dims = [dim if isinstance(dim, int) else 1 for dim in image["shape"]]
        samples = os.path.join(folder, f"{network}.npz")
        np.savez(samples, **{image["name"]: np.random.default_rng(1).standard_normal([4] + dims[1:]).astype(np.float32)})
        run("quantize", plain, "--calib", samples, "-o", quantised)
    return plain, quantised


def contestants(athanor, network, folder, threads):
    plain, quantised = files_of(athanor, network, folder)
    made = {"float": Ours(athanor, plain, threads), "int8": Ours(athanor, quantised, threads)}
    if onnxruntime is not None and quantised.endswith(".onnx"):
        made["ort"] = OnnxRuntime(quantised, threads)
    if openvino is not None:
        made["openvino"] = OpenVino(quantised, threads)
    if ncnn is not None and plain.endswith(".onnx"):
        try:
            made["ncnn"] = Ncnn(athanor, plain, threads)
        except (ValueError, subprocess.CalledProcessError) as error:
            print(f"{network}: without ncnn: {error}", file=sys.stderr)
    return made


def measure(args, network, threads):
    """The least milliseconds of each; a column of the table each, and the ratios."""
    made = contestants(args.athanor, network, args.folder, threads)
    best = {name: float("inf") for name in made}
    for _ in range(args.rounds):
        for name, contestant in made.items():
            best[name] = min(best[name], contestant.fastest(args.time))
    peers = [best[name] for name in PEERS if name in best]
    return best, best["float"] / best["int8"], min(peers) / best["int8"] if peers else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--athanor", default="build/release/bin/athanor")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--time", type=float, default=0.5, help="seconds of a turn")
    parser.add_argument("--folder", default="build", help="where quantised networks of the zoo are kept")
    args = parser.parse_args()
    for threads in map(int, args.threads.split(",")):
        print(f"{threads} thread{'s' if threads > 1 else ''}; ms, the least of {args.rounds} rounds")
        print(f"{'network':30} {'float':>9} {'int8':>9} {'ORT':>9} {'OpenVINO':>9} {'ncnn':>9} {'x float':>8} {'x best':>7}")
        ahead = []
        for network in args.networks:
            try:
                best, of_float, of_best = measure(args, network, threads)
            except subprocess.CalledProcessError as error:
                sys.exit(f"{network}: {error}")
            columns = [f"{best[name]:9.3f}" if name in best else f"{'-':>9}" for name in ("float", "int8", *PEERS)]
            ratio = f"{'-':>7}" if of_best is None else f"{of_best:7.2f}"
            print(f"{os.path.basename(network)[:30]:30} {' '.join(columns)} {of_float:8.2f} {ratio}", flush=True)
            ahead += [] if of_best is None else [of_best]
        if ahead:
            print(f"{'of the best, geometric mean':77} {float(np.exp(np.mean(np.log(ahead)))):8.2f}, lowest {min(ahead):.2f}")


if __name__ == "__main__":
    main()
