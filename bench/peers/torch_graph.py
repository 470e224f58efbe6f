"""An ONNX file as a PyTorch module: one call of torch a node, as a user would write the network by hand. It covers the
operators of the zoo's networks; another operator is a reason, returned as text."""
import numpy as np
import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as F


def ints(tensor):
    return [int(v) for v in tensor.reshape(-1).tolist()]


def pads_of(attributes, rank):
    """(symmetric padding, or None; F.pad's list)"""
    pads = attributes.get("pads", [0] * 2 * rank)
    begin, end = pads[:rank], pads[rank:]
    listed = [v for pair in zip(reversed(begin), reversed(end)) for v in pair]
    return (begin if begin == end else None), listed


def conv(a, x, w, b=None):
    rank = w.dim() - 2
    same, listed = pads_of(a, rank)
    if same is None:
        x, same = F.pad(x, listed), [0] * rank
    call = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    return call(x, w, b, a.get("strides", 1), same, a.get("dilations", 1), a.get("group", 1))


def conv_transpose(a, x, w, b=None):
    rank = w.dim() - 2
    same, _ = pads_of(a, rank)
    call = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
    return call(x, w, b, a.get("strides", 1), same, a.get("output_padding", 0), a.get("group", 1), a.get("dilations", 1))


def max_pool(a, x):
    same, listed = pads_of(a, len(a["kernel_shape"]))
    if same is None:
        x, same = F.pad(x, listed, value=float("-inf")), 0
    call = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[len(a["kernel_shape"]) - 1]
    return call(x, a["kernel_shape"], a.get("strides", 1), same, ceil_mode=bool(a.get("ceil_mode", 0)))


def average_pool(a, x):
    same, listed = pads_of(a, len(a["kernel_shape"]))
    if same is None:
        x, same = F.pad(x, listed), 0
    call = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[len(a["kernel_shape"]) - 1]
    return call(x, a["kernel_shape"], a.get("strides", 1), same, ceil_mode=bool(a.get("ceil_mode", 0)),
                count_include_pad=bool(a.get("count_include_pad", 0)))


def gemm(a, x, w, c=None):
    x = x.t() if a.get("transA") else x
    if a.get("transB") and a.get("alpha", 1.0) == 1.0 and a.get("beta", 1.0) == 1.0:
        return F.linear(x, w, c)
    y = a.get("alpha", 1.0) * (x @ (w.t() if a.get("transB") else w))
    return y if c is None else y + a.get("beta", 1.0) * c


def reshape(a, x, shape=None):
    sizes = a["shape"] if shape is None else ints(shape)
    return x.reshape([x.shape[i] if v == 0 else v for i, v in enumerate(sizes)])


def clip(a, x, low=None, high=None):
    low = a.get("min") if low is None else float(low)
    high = a.get("max") if high is None else float(high)
    return F.relu6(x) if (low, high) == (0.0, 6.0) else torch.clamp(x, low, high)


def axes_of(a, given):
    return a["axes"] if "axes" in a else None if given is None else ints(given)


def reduce_mean(a, x, axes=None):
    axes = axes_of(a, axes)
    return x.mean(list(range(x.dim())) if axes is None else axes, keepdim=bool(a.get("keepdims", 1)))


def slice_(a, x, starts=None, ends=None, axes=None, steps=None):
    starts, ends = (a["starts"], a["ends"]) if starts is None else (ints(starts), ints(ends))
    axes = axes_of(a, axes) or list(range(len(starts)))
    for axis, begin, end, step in zip(axes, starts, ends, [1] * len(axes) if steps is None else ints(steps)):
        index = [slice(None)] * x.dim()
        index[axis] = slice(begin, None if end > x.shape[axis] else end, step)
        x = x[tuple(index)]
    return x


def split(a, x, sizes=None):
    axis = a.get("axis", 0)
    if sizes is None and "split" not in a:
        return torch.chunk(x, a["_outputs"], axis)
    return torch.split(x, a["split"] if sizes is None else ints(sizes), axis)


def squeeze(a, x, axes=None):
    axes = axes_of(a, axes)
    return x.squeeze() if axes is None else x.squeeze(tuple(axes))


def unsqueeze(a, x, axes=None):
    for axis in sorted(axes_of(a, axes)):
        x = x.unsqueeze(axis)
    return x


def gather(a, x, index):
    axis = a.get("axis", 0) % x.dim()
    return torch.index_select(x, axis, index.reshape(-1)).reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1:]))


def layer_norm(a, x, scale, bias=None):
    return F.layer_norm(x, x.shape[a.get("axis", -1):], scale, bias, a.get("epsilon", 1e-5))


def resize(a, x, roi=None, scales=None, sizes=None):
    mode = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}[a.get("mode", "nearest")]
    align = None if mode == "nearest" else a.get("coordinate_transformation_mode") == "align_corners"
    if sizes is not None:
        return F.interpolate(x, size=ints(sizes)[2:], mode=mode, align_corners=align)
    return F.interpolate(x, scale_factor=[float(v) for v in scales.tolist()][2:], mode=mode, align_corners=align)


def pad(a, x, pads, value=None, axes=None):
    listed = ints(pads)
    rank = len(listed) // 2
    return F.pad(x, [v for pair in zip(reversed(listed[:rank]), reversed(listed[rank:])) for v in pair],
                 a.get("mode", "constant"), 0.0 if value is None else float(value))


# ONNX names the gates of an LSTM i o f c, torch i f g o; of a GRU z r h, torch r z n.
GATES = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}


class Recurrent(torch.nn.Module):
    """One LSTM or GRU layer from ONNX's weights; they must be constants."""

    def __init__(self, kind, attributes, w, r, b):
        super().__init__()
        hidden, both = attributes["hidden_size"], w.shape[0] == 2
        if kind == "GRU" and not attributes.get("linear_before_reset"):
            raise KeyError("GRU with linear_before_reset = 0")
        self.net = getattr(torch.nn, kind)(w.shape[2], hidden, bidirectional=both)

        def ordered(matrix):
            parts = torch.split(matrix, hidden)
            return torch.cat([parts[gate] for gate in GATES[kind]])

        with torch.no_grad():
            for direction, suffix in zip(range(w.shape[0]), ("", "_reverse")):
                half = len(GATES[kind]) * hidden
                for name, value in (("weight_ih", w[direction]), ("weight_hh", r[direction]),
                                    ("bias_ih", b[direction][:half]), ("bias_hh", b[direction][half:])):
                    getattr(self.net, f"{name}_l0{suffix}").copy_(ordered(value))

    def forward(self, x):
        y, last = self.net(x)
        directions = 2 if self.net.bidirectional else 1
        y = y.reshape(x.shape[0], x.shape[1], directions, -1).transpose(1, 2)
        return (y, *last) if isinstance(last, tuple) else (y, last)


def to_dtype(a, x):
    return x.to({1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool, 11: torch.float64}[a["to"]])


OPERATORS = {
    "Add": lambda a, x, y: x + y, "Sub": lambda a, x, y: x - y, "Mul": lambda a, x, y: x * y, "Div": lambda a, x, y: x / y,
    "Pow": lambda a, x, y: torch.pow(x, y), "Sqrt": lambda a, x: torch.sqrt(x), "Erf": lambda a, x: torch.erf(x),
    "Tanh": lambda a, x: torch.tanh(x), "Exp": lambda a, x: torch.exp(x), "Log": lambda a, x: torch.log(x),
    "Neg": lambda a, x: -x, "Abs": lambda a, x: x.abs(), "Floor": lambda a, x: x.floor(),
    "Sigmoid": lambda a, x: torch.sigmoid(x), "Relu": lambda a, x: F.relu(x), "Softplus": lambda a, x: F.softplus(x),
    "LeakyRelu": lambda a, x: F.leaky_relu(x, a.get("alpha", 0.01)), "HardSwish": lambda a, x: F.hardswish(x),
    "HardSigmoid": lambda a, x: torch.clamp(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1),
    "Softmax": lambda a, x: F.softmax(x, a.get("axis", -1)), "Identity": lambda a, x: x, "Dropout": lambda a, x, *_: x,
    "BatchNormalization": lambda a, x, s, b, m, v: F.batch_norm(x, m, v, s, b, eps=a.get("epsilon", 1e-5)),
    "InstanceNormalization": lambda a, x, s, b: F.instance_norm(x, weight=s, bias=b, eps=a.get("epsilon", 1e-5)),
    "LRN": lambda a, x: F.local_response_norm(x, a["size"], a.get("alpha", 1e-4), a.get("beta", 0.75), a.get("bias", 1.0)),
    "GlobalAveragePool": lambda a, x: x.mean(list(range(2, x.dim())), keepdim=True),
    "GlobalMaxPool": lambda a, x: x.amax(list(range(2, x.dim())), keepdim=True),
    "Flatten": lambda a, x: x.flatten(a.get("axis", 1)) if a.get("axis", 1) else x.reshape(1, -1),
    "MatMul": lambda a, x, y: torch.matmul(x, y), "Concat": lambda a, *x: torch.cat(x, a["axis"]),
    "Transpose": lambda a, x: x.permute(a.get("perm", list(reversed(range(x.dim()))))),
    "Gather": gather,
    "Shape": lambda a, x: torch.tensor(x.shape), "Expand": lambda a, x, s: x.expand(torch.broadcast_shapes(x.shape, ints(s))),
    "Where": lambda a, c, x, y: torch.where(c, x, y), "Equal": lambda a, x, y: x == y, "Less": lambda a, x, y: x < y,
    "Min": lambda a, x, y: torch.minimum(x, y), "Max": lambda a, x, y: torch.maximum(x, y),
    "PRelu": lambda a, x, s: F.prelu(x, s.reshape(-1)), "Not": lambda a, x: ~x,
    "AveragePool": average_pool, "Cast": to_dtype, "Clip": clip, "Conv": conv, "ConvTranspose": conv_transpose, "Gemm": gemm,
    "LayerNormalization": layer_norm, "MaxPool": max_pool, "Pad": pad, "ReduceMean": reduce_mean, "Reshape": reshape,
    "Resize": resize, "Slice": slice_, "Split": split, "Squeeze": squeeze, "Unsqueeze": unsqueeze,
}


class Graph(torch.nn.Module):
    def __init__(self, model, outputs):
        super().__init__()
        graph = model.graph
        self.constants = {tensor.name: as_tensor(tensor) for tensor in graph.initializer}
        self.inputs = [value.name for value in graph.input if value.name not in self.constants]
        self.results = outputs
        self.steps = []  # (call, attributes, inputs, outputs)
        for node in graph.node:
            self.add(node)

    def add(self, node):
        attributes = {a.name: plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
        attributes["_outputs"] = len(node.output)
        inputs, call = list(node.input), None
        if node.op_type == "Constant":
            self.constants[node.output[0]] = as_tensor(attributes["value"])
            return
        if node.op_type in GATES:
            layer = Recurrent(node.op_type, attributes, *[self.constants[name] for name in inputs[1:4]])
            self.add_module(f"recurrent_{len(self.steps)}", layer)
            call, inputs = lambda _, x: layer(x), inputs[:1]
        self.steps.append((call or OPERATORS[node.op_type], attributes, inputs, list(node.output)))

    def forward(self, *args):
        values = {**self.constants, **dict(zip(self.inputs, args)), "": None}
        for call, attributes, inputs, outputs in self.steps:
            result = call(attributes, *[values[name] for name in inputs])
            if isinstance(result, (tuple, list)):
                values.update(zip(outputs, result))
            else:
                values[outputs[0]] = result
        results = tuple(values[name] for name in self.results)
        return results if len(results) > 1 else results[0]


def as_tensor(tensor):
    return torch.from_numpy(np.array(onnx.numpy_helper.to_array(tensor)))


def plain(value):
    return value.decode() if isinstance(value, bytes) else list(value) if isinstance(value, (list, tuple)) else value


def translate(path, outputs):
    """The module, or the reason why there is none."""
    try:
        return Graph(onnx.load(path), outputs).eval()
    except KeyError as what:
        return f"no translation of {what}"
