#!/usr/bin/env python3
"""Writes src/frontends/onnx/forms.inc: the forms of every ai.onnx operator, from PyPI's onnx.

Usage: python3 tests/oracles/onnx_forms.py > src/frontends/onnx/forms.inc
"""
import collections

import onnx
from onnx import defs

OLDEST = 7
NUMBERS = {name.lower(): number for name, number in onnx.TensorProto.DataType.items()}


def type_mask(schema):
    """Bit n: the first input may have element type n. 0: no limit, or not only tensors."""
    if not schema.inputs:
        return 0
    mask = 0
    for name in schema.inputs[0].types:
        if not name.startswith("tensor("):
            continue
        mask |= 1 << NUMBERS[name[len("tensor("):-1]]
    return mask


def count(formal, limit):
    if formal and str(formal[-1].option).endswith("Variadic"):
        return -1
    return limit


def default(attribute):
    return "required" if attribute.required else attribute.default_value.SerializeToString()


def main():
    history = collections.defaultdict(list)
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "" and not schema.deprecated:
            history[schema.name].append(schema)
    print(f"// The forms of ai.onnx operators from operator set {OLDEST} on; generated from onnx "
          f"{onnx.__version__} by\n// tests/oracles/onnx_forms.py. Columns: operator, since, fewest "
          "and most inputs (-1: any number),\n// most outputs, element types of the first input as "
          "a mask, attributes (\"*\": the default differs from\n// the newest form's).")
    for name in sorted(history):
        schemas = sorted(history[name], key=lambda s: s.since_version)
        newest = schemas[-1]
        old = [s for s in schemas if s.since_version <= OLDEST]
        kept = old[-1:] + [s for s in schemas if s.since_version > OLDEST]
        last = None
        for schema in kept:
            attributes = []
            for attribute in sorted(schema.attributes):
                now = newest.attributes.get(attribute)
                differs = now is not None and default(now) != default(schema.attributes[attribute])
                attributes.append(attribute + ("*" if differs else ""))
            form = (schema.min_input, count(schema.inputs, schema.max_input),
                    count(schema.outputs, schema.max_output), type_mask(schema),
                    " ".join(attributes))
            if form != last:
                print('{"%s", %d, %d, %d, %d, 0x%xU, "%s"},' % (name, schema.since_version, *form))
            last = form


if __name__ == "__main__":
    main()
