# SPDX-License-Identifier: Apache-2.0
"""Makes the data of the digits example from scikit-learn's digits: what train.sh trains on and what it is judged by.

Needs the packages of tests/oracles/requirements.txt; takes a second. The same package versions give the same arrays.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent
SEED = 20240607
SIZE = 32  # pictures are SIZE x SIZE
HELD_OUT_PER_CLASS = 36
IMAGES_PER_CLASS = 4
CALIBRATION = 128


def load_images():
    """The 1797 scans of 8x8 pixels (0..16), enlarged to SIZE x SIZE bytes."""
    digits = load_digits()
    bytes8 = np.round(digits.images * (255.0 / 16.0)).astype(np.uint8)
    big = [np.asarray(Image.fromarray(b).resize((SIZE, SIZE), Image.Resampling.BILINEAR)) for b in bytes8]
    return np.stack(big), digits.target.astype(np.uint8)


def split(labels, rng):
    """Held-out rows: the same number of each class, so accuracy is not tilted by class frequency."""
    held = np.concatenate([rng.permutation(np.flatnonzero(labels == c))[:HELD_OUT_PER_CLASS] for c in range(10)])
    train = rng.permutation(np.setdiff1d(np.arange(len(labels)), held))
    return train, rng.permutation(held)


def write_pictures(images, labels, held):
    """A few held-out pictures per class as files, named <digit>_<row of load_digits>.png."""
    folder = HERE / "images"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    chosen = [r for c in range(10) for r in held[labels[held] == c][:IMAGES_PER_CLASS]]
    lines = ["filename,class"]
    for row in sorted(chosen, key=lambda r: (labels[r], r)):
        name = f"{labels[row]}_{row:04d}.png"
        Image.fromarray(images[row]).save(folder / name, optimize=True)
        lines.append(f"images/{name},{labels[row]}")
    (HERE / "labels.csv").write_text("\n".join(lines) + "\n")
    (HERE / "labels.txt").write_text("".join(f"{d}\n" for d in range(10)))


def main():
    images, labels = load_images()
    train, held = split(labels, np.random.default_rng(SEED))
    write_pictures(images, labels, held)
    rest = np.sort(train)
    np.savez_compressed(HERE / "train.npz", pixels=images[rest], labels=labels[rest])
    np.savez_compressed(HERE / "heldout.npz", pixels=images[held], labels=labels[held])
    np.savez_compressed(HERE / "calib.npz", pixels=images[train[:CALIBRATION]])


if __name__ == "__main__":
    main()
