#!/usr/bin/env python3
"""Seeds for `./dev fuzz` from what other libraries wrote: the small models of tests/oracles, each as its fuzz target takes it.

    python3 tests/oracle_seeds.py FOLDER

Writes FOLDER/TARGET/oracle_... and prints how many each target got.
"""
import hashlib
import json
import pathlib
import struct
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORACLES = ROOT / "tests" / "oracles"
LARGEST = 16384  # -max_len of ./dev fuzz
# The fuzz target: the archive, the endings of models that are one file.
SINGLE = {
    "catboost": ("catboost.tar.xz", (".cbm", ".json")),
    "keras": ("tensorflow.tar.xz", (".keras", ".h5")),
    "mnn": ("mnn.tar.xz", (".mnn",)),
    "pickled": ("pickled.tar.xz", (".pkl",)),
    "pytorch": ("pytorch.tar.xz", (".pt", ".pt2", ".pth")),
    "tensorflow": ("tensorflow.tar.xz", (".pb",)),
}


def members(archive):
    with tarfile.open(ORACLES / archive) as opened:
        return {member.name: opened.extractfile(member).read() for member in opened if member.isfile()}


def single_files():
    for target, (archive, endings) in SINGLE.items():
        for name, data in members(archive).items():
            if name.endswith(endings):
                yield target, data


def paddle_pairs():
    """The length of the program, the program, its parameters."""
    files = members("paddle.tar.xz")
    for name, program in files.items():
        if name.endswith((".pdmodel", ".json")):
            parameters = files.get(f"{name}.pdiparams", files.get(str(pathlib.PurePath(name).with_suffix(".pdiparams")), b""))
            yield "paddle", struct.pack("<I", len(program)) + program + parameters


def mxnet_parameters(shapes):
    """A .params file of version 2 with halves for numbers; what is large is left out with its network."""
    data = [struct.pack("<QQQ", 0x112, 0, len(shapes))]
    for shape in shapes.values():
        count = 1
        for size in shape:
            count *= size
        if count > LARGEST:
            return bytes(LARGEST + 1)
        data += [struct.pack("<IiI", 0xF993FAC9, 0, len(shape)), struct.pack(f"<{len(shape)}q", *shape), struct.pack("<iii", 1, 0, 0),
                 struct.pack("<f", 0.5) * count]
    data.append(struct.pack("<Q", len(shapes)))
    for name in shapes:
        data += [struct.pack("<Q", len(name) + 4), b"arg:" + name.encode()]
    return b"".join(data)


def mxnet_pairs():
    """The symbol, a zero byte, its parameters."""
    files = members("mxnet.tar.xz")
    for name, symbol in files.items():
        if name.endswith("-symbol.json"):
            stem = name.removesuffix("-symbol.json")
            saved = files.get(f"{stem}.params") or mxnet_parameters(json.loads(files[f"{stem}.json"])["parameters"])
            yield "mxnet", symbol + b"\0" + saved


def main():
    folder, counts = pathlib.Path(sys.argv[1]), {}
    for seeds in (single_files(), paddle_pairs(), mxnet_pairs()):
        for target, data in seeds:
            if len(data) <= LARGEST:
                (folder / target).mkdir(parents=True, exist_ok=True)
                (folder / target / f"oracle_{hashlib.sha256(data).hexdigest()[:16]}").write_bytes(data)
                counts[target] = counts.get(target, 0) + 1
    print("seeds of other libraries: " + ", ".join(f"{target} {count}" for target, count in sorted(counts.items())))


if __name__ == "__main__":
    sys.exit(main())
