#!/usr/bin/env python3
"""Asks a package on this machine what pictures show, all of them in one request, with Triton's public client.

    python3 ask.py MODEL HTTP_PORT GRPC_PORT PICTURE...

Prints a line per protocol and picture: the best class and its score.
"""
import pathlib
import sys

import numpy as np
import tritonclient.grpc
import tritonclient.http


def main(model, http_port, grpc_port, *pictures):
    files = np.array([pathlib.Path(picture).read_bytes() for picture in pictures], object)
    for name, module, port in [("http", tritonclient.http, http_port), ("grpc", tritonclient.grpc, grpc_port)]:
        client = module.InferenceServerClient(f"127.0.0.1:{port}")
        tensor = module.InferInput("picture", [len(files)], "BYTES")
        tensor.set_data_from_numpy(files)
        answer = client.infer(model, [tensor])
        for picture, label, score in zip(pictures, answer.as_numpy("label"), answer.as_numpy("score")):
            print(f"{name}  {pathlib.Path(picture).name}  {label[0].decode()}  {score[0]:.7f}")
        client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
