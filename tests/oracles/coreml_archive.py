"""What the recorders of ML Programs share: how a program and its answers lie in an archive."""
import io
import tarfile

import numpy as np


def add_program(archive, name, package, arrays):
    """NAME.mlmodel, NAME.bin (its weights, empty where it has none) of an .mlpackage folder, and `arrays` as NAME.npz."""
    folder = package / "Data" / "com.apple.CoreML"
    weights = folder / "weights" / "weight.bin"
    recorded = io.BytesIO()
    np.savez_compressed(recorded, **arrays)
    for file, data in ((f"{name}.mlmodel", (folder / "model.mlmodel").read_bytes()), (f"{name}.npz", recorded.getvalue()),
                       (f"{name}.bin", weights.read_bytes() if weights.exists() else b"")):
        info = tarfile.TarInfo(file)
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
