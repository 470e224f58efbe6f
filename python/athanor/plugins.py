# SPDX-License-Identifier: Apache-2.0
"""Operators and converters in Python, for models that this process loads (docs/plugins.md).

    @athanor.op("my::Roll")
    def roll(x, *, shift=1):                    # x: an array; shift: an attribute of the node
        return np.roll(x, shift, axis=-1)

    @athanor.converter("caffe", "Roll")
    def read_roll(node):
        return node.add("my::Roll", node.inputs[0], shift=node.attributes.get("shift", 1))

Defining one again replaces it for models that are loaded afterwards.
"""
import functools
import inspect as inspect_module
import traceback
import types
import typing
from dataclasses import dataclass

import numpy as np

from . import _athanor

_ONE, _OPTIONAL, _ANY_NUMBER = 0, 1, 2
_INT, _FLOAT, _STRING, _DTYPE, _INTS, _FLOATS, _STRINGS, _TENSOR = range(8)
_NOT_PURE, _DATA_DEPENDENT = 1, 2
_STRING_DTYPE = 24  # ATH_STRING: arrays of objects here
_NAMES = _athanor.dtypes  # number -> NumPy's name
_NUMBERS = {name: number for number, name in _NAMES.items()}
# With which sizes a function is tried where they are not known yet: some need an even one, or a power of two.
_TRIAL_SIZES = (1, 2, 8, 64)


@dataclass(frozen=True)
class TensorType:
    """What is known of a tensor before it is computed. shape: None where even the rank is not known; in it -1 where a size is
    not known, less where it is not a number yet: in an output, the same number stands for the same size. data: the elements
    of a constant, else None."""
    dtype: typing.Any
    shape: typing.Optional[tuple]
    data: typing.Any = None


def _tensor_type(described):
    dtype, shape, data = described
    if dtype == 0:
        return None
    if dtype != _STRING_DTYPE and dtype not in _NAMES:
        raise TypeError("NumPy does not have this element type")
    return TensorType(np.dtype(object) if dtype == _STRING_DTYPE else np.dtype(_NAMES[dtype]), shape, data)


def _dtype_number(dtype):
    dtype = np.dtype(dtype)
    if dtype == object or dtype.kind == "U":
        return _STRING_DTYPE
    if dtype.name not in _NUMBERS:
        raise TypeError(f"element type {dtype}; one of {sorted(_NUMBERS)} is expected")
    return _NUMBERS[dtype.name]


def _where(error):
    """The line of the user's function that failed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""


def _guarded(function):
    """What the function raises fails the node."""
    @functools.wraps(function)
    def call(node):
        try:
            function(node)
        except Exception as error:  # pylint: disable=broad-except
            node.fail(0, f"{type(error).__name__}: {error}{_where(error)}")
    return call


# What an annotation or a default value says of an attribute's kind.
_KINDS = {bool: _INT, int: _INT, float: _FLOAT, str: _STRING, np.dtype: _DTYPE, np.ndarray: _TENSOR}
_LIST_KINDS = {int: _INTS, float: _FLOATS, str: _STRINGS}


def _kind_of_annotation(annotation):
    arguments = [a for a in typing.get_args(annotation) if a is not type(None)]
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, getattr(types, "UnionType", None)) and len(arguments) == 1:
        return _kind_of_annotation(arguments[0])
    if origin in (list, tuple) and arguments:
        return _LIST_KINDS.get(arguments[0])
    return _KINDS.get(annotation)


def _kind_of_value(value):
    if isinstance(value, (list, tuple)):
        return _LIST_KINDS.get(type(value[0])) if value else _INTS
    return next((kind for known, kind in _KINDS.items() if isinstance(value, known)), None)


class _Signature:
    """Inputs and attributes of an operator, from the parameters of its function: those before `*` are inputs, *xs is any number
    of them, the others are attributes."""

    def __init__(self, function):
        self.inputs, self.attributes, self.flags = [], [], set()
        hints = typing.get_type_hints(function)
        for parameter in inspect_module.signature(function).parameters.values():
            if parameter.kind == parameter.VAR_KEYWORD:
                raise TypeError("**attributes: each attribute needs a parameter of its own")
            if parameter.kind == parameter.VAR_POSITIONAL:
                self.inputs.append((parameter.name, _ANY_NUMBER))
            elif parameter.kind != parameter.KEYWORD_ONLY:
                optional = parameter.default is not parameter.empty
                if optional and parameter.default is not None:
                    raise TypeError(f'input "{parameter.name}" may only be None by default; attributes follow "*"')
                self.inputs.append((parameter.name, _OPTIONAL if optional else _ONE))
            else:
                self._add_attribute(parameter, hints.get(parameter.name))

    def _add_attribute(self, parameter, hint):
        required = parameter.default is parameter.empty
        kind = _kind_of_annotation(hint) if hint is not None else None
        if kind is None and not required:
            kind = _kind_of_value(parameter.default)
        if kind is None:
            raise TypeError(f'attribute "{parameter.name}": its kind cannot be told; annotate it: {parameter.name}: int, float, '
                            "str, list[int], list[float], list[str], numpy.dtype or numpy.ndarray")
        if hint is bool or isinstance(parameter.default, bool):
            self.flags.add(parameter.name)
        self.attributes.append((parameter.name, kind, int(required)))

    def of(self, node):
        """The attributes that the node has."""
        return {name: bool(value) if name in self.flags else value for name, value in node.attributes().items()}


def _as_tuple(results):
    return tuple(results) if isinstance(results, (tuple, list)) else (results,)


def _array(result):
    array = np.require(result, requirements=["C"])
    return array if array.dtype.kind not in "U" else array.astype(object)


def _zeros(shape, dtype):
    return np.full(shape, "", object) if dtype == object else np.zeros(shape, dtype)


class _ByRunning:
    """Infers by running the function on zeros, once for each set of types. Sizes that are not known yet are tried, and what
    follows from them stays unknown."""

    def __init__(self, function, data_dependent):
        self._function, self._data_dependent = function, data_dependent
        self._known = {}

    def __call__(self, *inputs, **attributes):
        exact = {k: (v.shape, v.dtype.str, v.tobytes()) if isinstance(v, np.ndarray) else v for k, v in attributes.items()}
        key = repr([(t.dtype.str, t.shape) if t is not None else None for t in inputs]) + repr(exact)
        if key not in self._known:
            self._known[key] = self._run(inputs, attributes)
        return self._known[key]

    def _run(self, inputs, attributes):
        if any(t is not None and t.shape is None for t in inputs):
            raise ValueError("the rank of an input is not known; give @op an infer function")
        open_sizes = any(size < 0 for t in inputs if t is not None for size in t.shape)
        for size in _TRIAL_SIZES if open_sizes else (1,):
            zeros = [t and _zeros([size if d < 0 else d for d in t.shape], t.dtype) for t in inputs]
            try:
                results = [_array(r) for r in _as_tuple(self._function(*zeros, **attributes))]
                break
            except Exception as error:  # pylint: disable=broad-except
                problem = error
        else:
            raise ValueError(f"its results on zeros tell their types, but it fails on them; give @op an infer function: {problem}")
        unknown = open_sizes or self._data_dependent
        return tuple(TensorType(r.dtype, (-1,) * r.ndim if unknown else r.shape) for r in results)


def op(name, *, outputs=1, infer=None, data_dependent=False, pure=True):
    """Makes a function over arrays the operator `name`, "DOMAIN::NAME".

    The function's parameters before `*` are inputs (None by default: may be left out; *xs: any number), those after it
    attributes, whose kinds follow from annotations or defaults. It gives an array, or a tuple of them.
    outputs: how many, or their names. infer: "same": every output is as input 0; or a function with the same parameters, each
    input a TensorType, that gives TensorTypes; by default the function is run on zeros once for each set of shapes.
    data_dependent: the shapes of the results follow from the elements. pure: the same inputs always give the same results."""
    def define(function):
        signature = _Signature(function)
        names = [f"y{i}" for i in range(outputs)] if isinstance(outputs, int) else list(outputs)
        inferring = _ByRunning(function, data_dependent) if infer is None else infer

        def arguments(node, read):
            return [read(_tensor_type(node.input(i))) for i in range(node.num_inputs())]

        def run_infer(node):
            results = _as_tuple(inferring(*arguments(node, lambda t: t), **signature.of(node)))
            if len(results) != node.num_outputs():
                raise ValueError(f"{len(results)} results; the node has {node.num_outputs()} outputs")
            for i, t in enumerate(results):
                node.set_output(i, _dtype_number(t.dtype), None if t.shape is None else [int(d) for d in t.shape])

        def run(node):
            arrays = arguments(node, lambda t: t and t.data)
            results = [_array(r) for r in _as_tuple(function(*arrays, **signature.of(node)))]
            if len(results) != node.num_outputs():
                raise ValueError(f"{len(results)} results; the node has {node.num_outputs()} outputs")
            for i, array in enumerate(results):
                if data_dependent:
                    node.set_output(i, _dtype_number(array.dtype), array.shape)
                dtype, shape = node.promised(i)
                if (dtype, shape) != (_dtype_number(array.dtype), array.shape):
                    promised = f"{_NAMES.get(dtype, 'string')}{list(shape)}"
                    raise ValueError(f"result {i} is {array.dtype}{list(array.shape)}; {promised} was inferred")
                node.write(i, array)

        flags = (0 if pure else _NOT_PURE) | (_DATA_DEPENDENT if data_dependent else 0)
        _athanor.add_op(name, (function.__doc__ or "").strip(), signature.inputs, [(n, _ONE) for n in names],
                        signature.attributes, flags, None if infer == "same" else _guarded(run_infer), _guarded(run))
        return function
    return define


class Value:
    """A value of the graph that a converter builds. dtype, shape and data as a TensorType has them."""

    def __init__(self, node, number):
        self._number = number
        described = _tensor_type(node.type_of(number))
        self.dtype, self.shape, self.data = described.dtype, described.shape, described.data


class ConverterNode:
    """The node of a file that a converter rewrites. op: as the file calls it; inputs: Values, None where left out; attributes:
    what the file says; num_outputs: how many Values the converter gives back."""

    def __init__(self, node):
        self._node = node
        self.op, self.num_outputs, self.attributes = node.op(), node.num_outputs(), node.attributes()
        numbers = [node.value(i) for i in range(node.num_inputs())]
        self.inputs = [Value(node, number) if number >= 0 else None for number in numbers]

    def constant(self, array):
        """A constant. Lists of numbers become what NumPy makes of them: say the element type."""
        return Value(self._node, self._node.constant(np.require(array, requirements=["C", "A"])))

    def add(self, op, *inputs, outputs=1, **attributes):  # pylint: disable=redefined-outer-name
        """Adds a node of an operator of the graph (docs/ops, or a custom one). inputs: Values, None where left out. Gives its
        Value, or a tuple of them where outputs is not 1."""
        numbers = [-1 if value is None else value._number for value in inputs]  # pylint: disable=protected-access
        made = tuple(Value(self._node, number) for number in self._node.add(op, numbers, attributes, outputs))
        return made[0] if outputs == 1 else made


def converter(format, *op):  # pylint: disable=redefined-builtin,redefined-outer-name
    """Makes a function from a ConverterNode to its results, a Value or a tuple of them, what reads nodes `op` of files of the
    format: converter("onnx", "my.domain", "Roll"), converter("caffe", "Roll")."""
    def define(function):
        def convert(node):
            values = _as_tuple(function(ConverterNode(node)))
            if len(values) != node.num_outputs():
                raise ValueError(f"{len(values)} results; the node has {node.num_outputs()} outputs")
            for i, value in enumerate(values):
                node.give(i, value._number)  # pylint: disable=protected-access

        _athanor.add_converter(format, "::".join(op), _guarded(convert))
        return function
    return define


def load_plugin(path):
    """Loads a shared library with operators and converters. Its code runs in this process: load only what you trust."""
    _athanor.load_plugin(str(path))
