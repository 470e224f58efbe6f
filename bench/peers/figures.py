"""From times to figures: statistics, the noise test, groups, ratios, geometric means. Knows no engine and no file."""
import math
import re
import statistics

import numpy as np

OURS = "athanor"

# A slice is disturbed when other processes took more than this of the cores, the host stole more than this, or the
# engine's threads waited longer than this for a core; shares of the wall time.
FOREIGN_LIMIT = 0.10
STEAL_LIMIT = 0.01
WAIT_LIMIT = 0.02

LOWEST_RATIO = 0.95  # of a single network
TINY_MS = 1.0

# (group, what it is called, names, the ratio it must reach, the aim). The first that matches counts.
GROUPS = [
    ("tiny", "below 1 ms, call included", r"ds_cnn|kws|ad01|ic01|vww|resnet8|autoencoder|mlp|lstm|gru|tcn|digits|mnist", 1.3, 2.0),
    ("published", "face detector as published (not in a bar)", r"_published", None, None),
    ("3x3", "3x3-heavy fp32", r"vgg|resnet_?(18|34)|unet|ssd|yolo", 1.15, 1.5),
    ("dense", "ResNet-50/101, DenseNet, Inception, GoogLeNet fp32", r"resnet_?(50|101)|densenet|inception|googlenet", 1.10, 1.3),
    ("mobile", "mobile networks, face detector stripped, fp32",
     r"mobilenet|efficientnet|shufflenet|squeezenet|mnasnet|rfb|slim", 1.15, 1.35),
    ("encoder", "BERT-base and ViT-B encoders, sequence 128, fp32", r"bert|vit", 1.0, 1.15),
    ("other", "others", r"", None, None),
]
CNN_GROUPS = ("3x3", "dense", "mobile")


def group_of(name):
    return next(group for group, _, pattern, _, _ in GROUPS if re.search(pattern, name.lower()))


def percentile(values, percent):
    """The nearest-rank percentile: the smallest value that at least `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(percent / 100 * len(ordered))) - 1]


def is_noisy(noise):
    return noise["foreign"] > FOREIGN_LIMIT or noise["steal"] > STEAL_LIMIT or noise["waited"] > WAIT_LIMIT


def summarise(slices, batch=1, threads=1, streams=1):
    """min, median and p90 in ms of the runs of one engine. Disturbed slices count only for the minimum, which others can
    only make worse, unless every slice is disturbed. "time": what ratios are made of: of one thread the CPU time, which does
    not grow while somebody else has the core."""
    quiet = [piece for piece in slices if not is_noisy(piece["noise"])]
    times = [t / 1e6 for piece in quiet or slices for t in piece["ns"]]
    lowest = min(t / 1e6 for piece in slices for t in piece["ns"])
    computed = min(t / 1e6 for piece in slices for t in piece["cpu_ns"])
    time = computed if threads * streams == 1 else lowest
    rates = [len(piece["ns"]) * batch / piece["wall_ns"] * 1e9 for piece in slices]
    return {"min": lowest, "cpu": computed, "time": time if streams == 1 else 1e3 * batch / max(rates), "median": statistics.median(times), "p90": percentile(times, 90), "runs": len(times),
            "slices": len(slices), "noisy_slices": len(slices) - len(quiet), "per_s": max(rates)}


def geometric_mean(values):
    values = list(values)
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else None


def rel_l2(value, reference):
    """||value - reference|| / ||reference|| over all elements; infinite when they are not comparable."""
    value, reference = (np.asarray(array, np.float64).ravel() for array in (value, reference))
    if value.size != reference.size:
        return math.inf
    difference, norm = np.linalg.norm(value - reference), np.linalg.norm(reference)
    if not np.isfinite(difference) or not np.isfinite(norm):
        return math.inf
    return float(difference / norm if norm > 0 else difference)


def best_of(results, key):
    """engine -> its best variant's result, of those that were timed. results: {(engine, variant): result}."""
    best = {}
    for (engine, variant), result in results.items():
        if key in result and (engine not in best or result[key] < best[engine][key]):
            best[engine] = {**result, "variant": variant}
    return best


def ratio_row(results, key):
    """(ratio, best peer) of one network: time of the best peer over ours; nothing when one of the two is missing."""
    best = best_of(results, key)
    peers = {engine: result for engine, result in best.items() if engine != OURS}
    if OURS not in best or not peers:
        return None
    peer = min(peers, key=lambda engine: peers[engine][key])
    return peers[peer][key] / best[OURS][key], peer


def group_rows(ratios):
    """ratios: network -> ratio. One row per group that has networks: geometric mean, the lowest, whether the bar holds."""
    rows = []
    for group, title, _, bar, aim in GROUPS:
        members = {name: ratio for name, ratio in ratios.items() if group_of(name) == group}
        if not members:
            continue
        mean = geometric_mean(members.values())
        worst = min(members, key=members.get)
        held = None if bar is None else mean >= bar and members[worst] >= LOWEST_RATIO
        rows.append({"group": group, "title": title, "networks": len(members), "mean": mean, "worst": worst,
                     "lowest": members[worst], "bar": bar, "aim": aim, "held": held})
    return rows
