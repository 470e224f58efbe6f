# SPDX-License-Identifier: Apache-2.0
"""Records what ONNX Runtime answers for every .onnx file of the test data: onnx/index.json and onnx/*.npz.

Input rules (field "rule" of an input; tests repeat them):
  random  `random_tensor` of oracle_common.py: splitmix64 seeded with FNV-1a 64 of the input's name
  image   picture of the data set at network size, y = (x - mean) / std
  npz     array "key" of the record's own file
  literal `values` in C order
  fill    `value` everywhere
  wav     frame i of a sound: context + hop samples / 32768, ending at sample (i + 1) * hop, silence before 0

A record with "steps" is run that often; "carry" names which output feeds which input of the next step, and
the listed outputs are stacked over the steps.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime as ort

from oracle_common import (
    data_root, image_tensor, json_lines, l2_norm, max_abs_difference, random_tensor, run, session, stride_for,
    wav_frames,
)

OUT = Path(__file__).resolve().parent / "onnx"
GPT2_LAYERS = 5


@dataclass
class Case:
    """One call of one model. `inputs` are the index entries; `arrays` back the rule "npz"."""

    model: str
    inputs: list
    name: str = "default"
    note: str = ""
    steps: int = 0
    carry: dict = field(default_factory=dict)
    keep: tuple = ()  # outputs to record of a loop; all when empty
    arrays: dict = field(default_factory=dict)


# ---- input entries -------------------------------------------------------------------------------


def entry(name, dtype, shape, rule, **details):
    return {"name": name, "dtype": dtype, "shape": list(shape), "rule": rule, **details}


def random(name, shape, low=-1, high=1, dtype="float32"):
    return entry(name, dtype, shape, "random", low=low, high=high)


def literal(name, values, dtype):
    values = np.asarray(values, dtype)
    return entry(name, dtype, values.shape, "literal", values=values.ravel().tolist())


def fill(name, shape, value, dtype="float32"):
    return entry(name, dtype, shape, "fill", value=value)


def image(name, file, height, width, colour="bgr", mean=(0, 0, 0), std=(1, 1, 1)):
    return entry(
        name, "float32", [1, 3, height, width], "image",
        file=file, colour=colour, mean=list(mean), std=list(std), layout="NCHW",
    )


def build(spec, case, root):
    """The tensor that an index entry describes. The rule "wav" gives all frames at once."""
    shape, dtype = spec["shape"], spec["dtype"]
    match spec["rule"]:
        case "random":
            return random_tensor(spec["name"], dtype, shape, spec["low"], spec["high"])
        case "image":
            return image_tensor(spec, root)
        case "npz":
            return case.arrays[spec["key"]]
        case "literal":
            return np.array(spec["values"], dtype).reshape(shape)
        case "fill":
            return np.full(shape, spec["value"], dtype)
        case "wav":
            return wav_frames({**spec, "steps": case.steps}, root)
    raise ValueError(f"unknown rule {spec['rule']}")


# ---- cases ---------------------------------------------------------------------------------------


def vision_cases():
    for name in ("RFB-320", "RFB-320_simplified", "RFB-320_without_postprocessing", "slim-320"):
        picture = image("input", "ultraface/golden/1_320x240.png", 240, 320, "rgb", [127] * 3, [128] * 3)
        yield Case(f"ultraface/onnx/version-{name}.onnx", [picture])
    yield Case("onnx/mnist/mnist-8.onnx", [random("Input3", [1, 1, 28, 28], 0, 255)])
    resolution = "onnx/super_resolution/super_resolution.onnx"
    yield Case(resolution, [random("input", [1, 1, 224, 224], 0, 1)])
    yield Case(resolution, [random("input", [2, 1, 224, 224], 0, 1)], "batch2")
    yield Case("onnx/yolox/yolox_nano_coco.onnx", [image("images", "onnx/yolox/dog_416x416.png", 416, 416)])
    mean, std = [103.53, 116.28, 123.675], [57.375, 57.12, 58.395]
    picture = image("image", "onnx/nanodet/dog_320x320.png", 320, 320, "bgr", mean, std)
    yield Case("onnx/nanodet/nanodet_m_320.onnx", [picture])
    picture = image("input.1", "onnx/fastestdet/dog_352x352.png", 352, 352, "bgr", [0] * 3, [255] * 3)
    yield Case("onnx/fastestdet/FastestDet.onnx", [picture])


def silero_cases():
    model = "onnx/silero/silero_vad_16k_op15.onnx"
    rate = literal("sr", 16000, "int64")
    for name, batch, samples in (("random", 1, 576), ("batch3", 3, 576), ("without_context", 1, 512)):
        inputs = [random("input", [batch, samples]), random("state", [2, batch, 128]), rate]
        yield Case(model, inputs, name)
    sound = entry("input", "float32", [1, 576], "wav", file="onnx/silero/test_16k.wav", context=64, hop=512)
    yield Case(
        model, [sound, fill("state", [2, 1, 128], 0), rate], "speech",
        note="first 8 s of the sound, one probability per 32 ms",
        steps=256, carry={"state": "stateN"}, keep=("output",),
    )


def gpt2_feeds(ids, first_position, past_length, past):
    batch, length = ids["shape"]
    positions = np.tile(np.arange(first_position, first_position + length), (batch, 1))
    return [
        ids, literal("position_ids", positions, "int32"),
        fill("attention_mask", [batch, past_length + length], 1, "int32"), *past,
    ]


def gpt2_cases(root):
    model = "onnx/tiny-gpt2/past.onnx"
    names = [f"past_{i}" for i in range(GPT2_LAYERS)]
    empty = [fill(name, [2, 2, 4, 0, 8], 0) for name in names]
    whole = Case(model, gpt2_feeds(random("input_ids", [2, 6], 0, 1000, "int32"), 0, 0, empty), "uncached")
    yield whole

    # The cached call takes the last two tokens of the same text; its cache comes from the first four.
    tokens = build(whole.inputs[0], whole, root)
    runtime = session(root / model)
    prefix = Case(model, gpt2_feeds(literal("input_ids", tokens[:, :4], "int32"), 0, 0, empty))
    answers = run(runtime, {spec["name"]: build(spec, prefix, root) for spec in prefix.inputs})
    arrays = {f"cached/{name}": answers[f"present_{i}"] for i, name in enumerate(names)}
    past = [entry(name, "float32", [2, 2, 4, 4, 8], "npz", key=f"cached/{name}") for name in names]
    cached = Case(
        model, gpt2_feeds(literal("input_ids", tokens[:, 4:], "int32"), 4, 4, past), "cached", arrays=arrays,
        note="logits equal those of case uncached at positions 4 and 5; present_* equal too",
    )
    verify_cache(runtime, whole, cached, root)
    yield cached

    past = [random(name, [2, 1, 4, 3, 8]) for name in names]
    yield Case(model, gpt2_feeds(random("input_ids", [1, 2], 0, 1000, "int32"), 3, 3, past), "random_cache")
    padded = [dict(spec) for spec in whole.inputs]
    padded[2] = literal("attention_mask", [[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], "int32")
    yield Case(model, padded, "padded", note="two padding tokens at the end of the first text")


def verify_cache(runtime, whole, cached, root):
    full, part = (run(runtime, {s["name"]: build(s, c, root) for s in c.inputs}) for c in (whole, cached))
    np.testing.assert_allclose(part["logits"], full["logits"][:, 4:], atol=1e-5)
    for i in range(GPT2_LAYERS):
        np.testing.assert_allclose(part[f"present_{i}"], full[f"present_{i}"], atol=1e-5)


def small_cases():
    yield Case("onnx/tract/byte_sb_bidi_lstm/model.onnx", [random("input", [3, 40], 0, 256, "uint8")])
    # The trees were trained on the wine table, whose columns differ by orders of magnitude: one range per call
    # would leave whole subtrees unvisited.
    for name in ("lgbm_classifier_tensor", "xgboost_regressor_tree"):
        for high in (8, 30, 1500):
            wine = [random("input", [64, 13], 0, high)]
            yield Case(f"onnx/tract/{name}/model.onnx", wine, f"below_{high}")
    for name, width in (("qlstm_3-2-3_T3_S1", 3), ("qtdnn_10x5_101_i32_biases", 10)):
        yield Case(f"onnx/tract/{name}/model.onnx", [random("input", [16, width], -2, 2)])


# ---- recording -----------------------------------------------------------------------------------


def answer(case, root, optimised):
    """Outputs of one call, or of all steps of a loop stacked."""
    runtime = session(root / case.model, optimised)
    feeds = {spec["name"]: build(spec, case, root) for spec in case.inputs}
    if not case.steps:
        return run(runtime, feeds)
    frames = next(spec["name"] for spec in case.inputs if spec["rule"] == "wav")
    sound, kept = feeds[frames], {name: [] for name in case.keep}
    for step in range(case.steps):
        outputs = run(runtime, {**feeds, frames: sound[step]})
        feeds.update({target: outputs[source] for target, source in case.carry.items()})
        for name in case.keep:
            kept[name].append(outputs[name])
    return {name: np.stack(values) for name, values in kept.items()}


def record_file(model):
    """Many models share a file name such as model.onnx; their folder tells them apart."""
    path = Path(model)
    return (path.parent.name if path.stem in ("model", "past") else path.stem) + ".npz"


def record(case, root, store):
    plain, optimised = answer(case, root, False), answer(case, root, True)
    outputs = []
    for name, value in plain.items():
        if not np.all(np.isfinite(value)):
            raise SystemExit(f"{case.model} {case.name}: {name} is not finite; choose another input")
        key, stride = f"{case.name}/{name}", stride_for(value.size)
        store[key] = value.ravel()[::stride] if stride > 1 else value
        outputs.append({
            "name": name, "key": key, "dtype": str(value.dtype), "shape": list(value.shape), "stride": stride,
            "norm": l2_norm(value),
            # How far ORT's own optimiser moves this output: below it a difference means nothing.
            "ort_spread": max_abs_difference(value, optimised[name]),
        })
    store.update(case.arrays)
    result = {"model": case.model, "case": case.name, "file": record_file(case.model), "ort_version": ort.__version__}
    if case.steps:
        result |= {"steps": case.steps, "carry": case.carry}
    if case.note:
        result["note"] = case.note
    return result | {"inputs": case.inputs, "outputs": outputs}


def main():
    root = data_root() / "models"
    cases = [*vision_cases(), *silero_cases(), *gpt2_cases(root), *small_cases()]
    missing = {str(p.relative_to(root)) for p in root.rglob("*.onnx")} - {c.model for c in cases}
    if missing:
        sys.exit("no case for: " + ", ".join(sorted(missing)))
    OUT.mkdir(exist_ok=True)
    stores, records = {}, []
    for case in cases:
        print(case.model, case.name, flush=True)
        records.append(record(case, root, stores.setdefault(record_file(case.model), {})))
    for file, store in stores.items():
        np.savez_compressed(OUT / file, **store)
    (OUT / "index.json").write_text(json_lines(records))


if __name__ == "__main__":
    main()
