#!/usr/bin/env python3
"""A stream of requests whose shapes change: what planning costs, and that it ends.

    PYTHONPATH=build/test/python python3 bench/shapes.py [zoo:ds_cnn] [--shapes 20] [--rounds 4]

Each round asks for batch 1 to --shapes in turn (the sequence of a recurrent network), on one thread. Prints the mean and the
largest CPU time of a request per round, and the most memory so far: only the first round may pay for planning.
"""
import argparse
import resource
import time

import numpy as np

import athanor


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="zoo:ds_cnn")
    parser.add_argument("--shapes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4)
    args = parser.parse_args()
    net = athanor.load(args.model, threads=1)
    image = net.inputs[0]
    for number in range(args.rounds):
        times = []
        for batch in range(1, args.shapes + 1):
            shape = [batch] + [5 if not isinstance(dim, int) or dim < 0 else dim for dim in image.shape[1:]]
            array = np.full(shape, 0.5, np.float32)
            start = time.process_time()
            net(array)
            times.append(1e3 * (time.process_time() - start))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"round {number + 1}: mean {sum(times) / len(times):.3f} ms, worst {max(times):.3f} ms, peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
