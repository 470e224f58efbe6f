# SPDX-License-Identifier: Apache-2.0
"""Small Caffe networks, one per kind of layer, with seeded weights; shared by record_caffe.py and tests/caffe_test.py, which
has the formulas of those that OpenCV does not read.

`write(folder)` makes NAME.prototxt and NAME.caffemodel for each and gives {NAME: {INPUT: array}}. Weights and inputs follow
the rule for random tensors of README.md, named NETWORK/LAYER/NUMBER and NETWORK/INPUT.
"""

import pathlib
import re


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def blob(array):
    shape = field(1, b"".join(varint(size) for size in array.shape))
    return field(7, shape) + field(5, array.astype("<f4").tobytes())


def caffemodel(layers):
    """layers: (name, type, arrays)"""
    data = b""
    for name, kind, arrays in layers:
        layer = field(1, name.encode()) + field(2, kind.encode()) + b"".join(field(7, blob(array)) for array in arrays)
        data += field(100, layer)
    return field(1, b"corpus") + data


W, POSITIVE, ONE = (-0.6, 0.6), (0.5, 1.5), (2.0, 2.00001)  # ranges of weights

# name: (inputs, layers, weights). A layer is "TYPE TOP BOTTOM,BOTTOM { parameters }", named after its first top.
NETWORKS = {
    "convolution": ({"x": (2, 4, 9, 7)}, ["Convolution y x { convolution_param { num_output: 6 kernel_size: 3 stride: 2 pad: 1 } }"],
                    {"y": [((6, 4, 3, 3), W), ((6,), W)]}),
    "convolution_hw": ({"x": (1, 4, 9, 7)}, ["Convolution y x { convolution_param { num_output: 4 kernel_h: 3 kernel_w: 1 stride_h: 1 "
                                             "stride_w: 2 pad_h: 2 pad_w: 0 bias_term: false group: 2 } }"], {"y": [((4, 2, 3, 1), W)]}),
    "convolution_dilated": ({"x": (1, 3, 11, 11)}, ["Convolution y x { convolution_param { num_output: 4 kernel_size: 3 dilation: 2 pad: 2 } }"],
                            {"y": [((4, 3, 3, 3), W), ((4,), W)]}),
    "depthwise": ({"x": (1, 6, 8, 8)}, ["Convolution y x { convolution_param { num_output: 6 kernel_size: 3 group: 6 pad: 1 } }"],
                  {"y": [((6, 1, 3, 3), W), ((6,), W)]}),
    "deconvolution": ({"x": (1, 4, 5, 6)}, ["Deconvolution y x { convolution_param { num_output: 3 kernel_size: 4 stride: 2 pad: 1 } }"],
                      {"y": [((4, 3, 4, 4), W), ((3,), W)]}),
    "deconvolution_group": ({"x": (1, 4, 5, 6)}, ["Deconvolution y x { convolution_param { num_output: 4 group: 4 kernel_size: 4 stride: 2 "
                                                  "pad: 1 bias_term: false } }"], {"y": [((4, 1, 4, 4), W)]}),
    "inner_product": ({"x": (1, 3, 4, 5)}, ["InnerProduct y x { inner_product_param { num_output: 7 } }"],
                      {"y": [((7, 60), W), ((7,), W)]}),
    "pool_max": ({"x": (1, 3, 14, 13)}, ["Pooling y x { pooling_param { pool: MAX kernel_size: 3 stride: 2 } }"], {}),
    "pool_max_pad": ({"x": (1, 3, 12, 11)}, ["Pooling y x { pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 } }"], {}),
    "pool_average": ({"x": (1, 3, 14, 13)}, ["Pooling y x { pooling_param { pool: AVE kernel_size: 3 stride: 2 } }"], {}),
    "pool_average_pad": ({"x": (1, 3, 12, 11)}, ["Pooling y x { pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }"], {}),
    "pool_average_same": ({"x": (1, 3, 8, 8)}, ["Pooling y x { pooling_param { pool: AVE kernel_size: 3 stride: 1 pad: 1 } }"], {}),
    "pool_global": ({"x": (2, 5, 6, 7)}, ["Pooling a x { pooling_param { pool: AVE global_pooling: true } }",
                                          "Pooling m x { pooling_param { pool: MAX global_pooling: true } }", "Concat y a,m {}"], {}),
    "lrn": ({"x": (1, 9, 4, 5)}, ["LRN y x { lrn_param { local_size: 5 alpha: 0.3 beta: 0.75 k: 1 } }"], {}),
    "lrn_within": ({"x": (1, 3, 8, 9)}, ["LRN y x { lrn_param { local_size: 3 alpha: 0.4 beta: 0.75 norm_region: WITHIN_CHANNEL } }"], {}),
    "batch_norm": ({"x": (2, 5, 4, 3)}, ["BatchNorm n x { batch_norm_param { eps: 0.001 } }", "Scale y n { scale_param { bias_term: true } }"],
                   {"n": [((5,), W), ((5,), POSITIVE), ((1,), ONE)], "y": [((5,), POSITIVE), ((5,), W)]}),
    "scale_bias": ({"x": (1, 5, 4, 3)}, ["Scale y x { scale_param { bias_term: true } }"], {"y": [((5,), W), ((5,), W)]}),
    "eltwise_sum": ({"a": (1, 3, 4, 5), "b": (1, 3, 4, 5), "c": (1, 3, 4, 5)},
                    ["Eltwise y a,b,c { eltwise_param { operation: SUM coeff: 1 coeff: -0.5 coeff: 2 } }"], {}),
    "eltwise_product": ({"a": (1, 3, 4, 5), "b": (1, 3, 4, 5)}, ["Eltwise y a,b { eltwise_param { operation: PROD } }"], {}),
    "eltwise_max": ({"a": (1, 3, 4, 5), "b": (1, 3, 4, 5)}, ["Eltwise y a,b { eltwise_param { operation: MAX } }"], {}),
    "activations": ({"x": (1, 4, 5, 6)},
                    ["ReLU r x { relu_param { negative_slope: 0.1 } }", "Sigmoid s r {}", "TanH t x {}", "AbsVal u x {}", "BNLL b x {}",
                     "ELU e x { elu_param { alpha: 0.7 } }", "PReLU p x {}", "ReLU6 six x {}", "Concat y s,t,u,b,e,p,six {}"],
                    {"p": [((4,), W)]}),
    "power": ({"x": (1, 4, 5, 6)}, ["Power p x { power_param { power: 2 scale: 0.5 shift: 3 } }",
                                    "Exp e x { exp_param { base: 2 scale: 0.5 shift: 0.25 } }", "Concat y p,e {}"], {}),
    "concat_axis": ({"a": (1, 3, 4, 5), "b": (1, 3, 2, 5)}, ["Concat y a,b { concat_param { axis: 2 } }"], {}),
    "slice": ({"x": (1, 6, 4, 5)}, ["Slice a;b;c x { slice_param { slice_point: 1 slice_point: 4 } }", "Concat y c,a,b {}"], {}),
    "slice_even": ({"x": (1, 6, 4, 8)}, ["Slice a;b x { slice_param { axis: 3 } }", "Eltwise y b,a {}"], {}),
    "flatten": ({"x": (2, 3, 4, 5)}, ["Flatten y x {}"], {}),
    "flatten_axes": ({"x": (2, 3, 4, 5)}, ["Flatten y x { flatten_param { axis: 1 end_axis: 2 } }"], {}),
    "reshape": ({"x": (2, 3, 4, 5)}, ["Reshape y x { reshape_param { shape { dim: 0 dim: -1 dim: 10 } } }"], {}),
    "reshape_axis": ({"x": (2, 6, 4, 5)}, ["Reshape y x { reshape_param { shape { dim: 2 dim: 3 } axis: 1 num_axes: 1 } }"], {}),
    "permute": ({"x": (1, 3, 4, 5)}, ["Permute y x { permute_param { order: 0 order: 2 order: 3 order: 1 } }"], {}),
    "crop": ({"x": (1, 3, 9, 8), "r": (1, 3, 5, 4)}, ["Crop y x,r { crop_param { axis: 2 offset: 3 offset: 1 } }"], {}),
    "softmax": ({"x": (2, 5, 3, 4)}, ["Softmax y x {}"], {}),
    "softmax_axis": ({"x": (2, 6, 4)}, ["Softmax y x { softmax_param { axis: 2 } }"], {}),
    "normalize": ({"x": (1, 6, 5, 4)}, ["Normalize y x { norm_param { across_spatial: false channel_shared: false } }"],
                  {"y": [((6,), POSITIVE)]}),
    "normalize_all": ({"x": (1, 6, 5, 4)}, ["Normalize y x { norm_param { across_spatial: true channel_shared: true } }"],
                      {"y": [((1,), POSITIVE)]}),
    "mvn": ({"x": (2, 3, 5, 4)}, ["MVN y x {}"], {}),
    "mvn_across": ({"x": (2, 3, 5, 4)}, ["MVN y x { mvn_param { across_channels: true normalize_variance: true eps: 0.00001 } }"], {}),
    "reorg": ({"x": (1, 8, 4, 6)}, ["Reorg y x { reorg_param { stride: 2 } }"], {}),
    "shuffle": ({"x": (1, 6, 4, 5)}, ["ShuffleChannel y x { shuffle_channel_param { group: 3 } }"], {}),
    "tile": ({"x": (1, 3, 2, 2)}, ["Tile y x { tile_param { axis: 1 tiles: 3 } }"], {}),
    "interp": ({"x": (1, 3, 5, 4)}, ["Interp y x { interp_param { height: 9 width: 11 } }"], {}),
    "argmax": ({"x": (1, 9, 3, 3)}, ["ArgMax y x { argmax_param { axis: 1 } }"], {}),
    "prior_box": ({"x": (1, 3, 4, 5), "data": (1, 3, 64, 80)},
                  ["PriorBox y x,data { prior_box_param { min_size: 10 max_size: 25 aspect_ratio: 2 aspect_ratio: 3 flip: true clip: false "
                   "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 } }"], {}),
    "prior_box_step": ({"x": (1, 3, 4, 5), "data": (1, 3, 64, 80)},
                       ["PriorBox y x,data { prior_box_param { min_size: 10 min_size: 14 aspect_ratio: 2 flip: false clip: true step: 14 "
                        "offset: 0.4 variance: 0.1 } }"], {}),
    "detection": ({"loc": (1, 480), "score": (1, 360), "f": (1, 3, 4, 5), "data": (1, 3, 64, 80)},
                  ["PriorBox p f,data { prior_box_param { min_size: 20 max_size: 30 aspect_ratio: 2 flip: true clip: false variance: 0.1 "
                   "variance: 0.1 variance: 0.2 variance: 0.2 aspect_ratio: 3 } }",
                   "Reshape a score { reshape_param { shape { dim: 0 dim: -1 dim: 3 } } }", "Softmax b a { softmax_param { axis: 2 } }",
                   "Flatten c b {}",
                   "DetectionOutput y loc,c,p { detection_output_param { num_classes: 3 share_location: true background_label_id: 0 "
                   "nms_param { nms_threshold: 0.45 top_k: 40 } code_type: CENTER_SIZE keep_top_k: 12 confidence_threshold: 0.4 } }"], {}),
    "roi_pooling": ({"x": (1, 4, 12, 14), "rois": (3, 5)},
                    ["ROIPooling y x,rois { roi_pooling_param { pooled_h: 3 pooled_w: 4 spatial_scale: 0.5 } }"], {}),
    "inner_product_axis": ({"x": (2, 3, 4, 5)}, ["InnerProduct y x { inner_product_param { num_output: 7 axis: 2 bias_term: false transpose: true } }"],
                           {"y": [((20, 7), W)]}),
    "lstm": ({"x": (4, 2, 5), "cont": (4, 2)}, ["LSTM y x,cont { recurrent_param { num_output: 3 } }"],
             {"y": [((12, 5), W), ((12,), W), ((12, 3), W)]}),
    "inception": ({"data": (1, 3, 17, 17)},
                  ["Convolution c data { convolution_param { num_output: 8 kernel_size: 3 } }", "ReLU c c {}",
                   "Convolution a c { convolution_param { num_output: 4 kernel_size: 1 } }",
                   "Pooling p c { pooling_param { pool: MAX kernel_size: 3 stride: 1 pad: 1 } }", "Concat j a,p {}", "Dropout j j {}",
                   "Pooling q j { pooling_param { pool: AVE kernel_size: 15 } }", "InnerProduct f q { inner_product_param { num_output: 5 } }",
                   "Softmax y f {}"],
                  {"c": [((8, 3, 3, 3), W), ((8,), W)], "a": [((4, 8, 1, 1), W), ((4,), W)], "f": [((5, 12), W), ((5,), W)]}),
}
ROIS = [[0, 2, 2, 18, 20], [0, 0, 0, 27, 23], [0, 10, 4, 13, 9]]


def prototxt(inputs, layers):
    text = 'name: "corpus"\n'
    for name, shape in inputs.items():
        text += f'input: "{name}"\ninput_shape {{ {" ".join(f"dim: {size}" for size in shape)} }}\n'
    for number, layer in enumerate(layers):
        kind, tops, bottoms, parameters = re.fullmatch(r"(\w+) (\S+) (\S+) \{(.*)\}", layer).groups()
        name = tops.split(";")[0]
        if tops == bottoms:
            name += f"_{number}"
        text += f'layer {{\n  name: "{name}"\n  type: "{kind}"\n'
        text += "".join(f'  bottom: "{bottom}"\n' for bottom in bottoms.split(","))
        text += "".join(f'  top: "{top}"\n' for top in tops.split(";"))
        text += f" {parameters}\n}}\n"
    return text


def write(folder, random_tensor, array):
    """`random_tensor` by the rule of README.md; `array` makes an array of a list."""
    made = {}
    for network, (inputs, layers, weights) in NETWORKS.items():
        path = pathlib.Path(folder, network)
        path.with_suffix(".prototxt").write_text(prototxt(inputs, layers))
        blobs = []
        for layer, specs in weights.items():
            kind = next(text.split()[0] for text in layers if text.split()[1].split(";")[0] == layer)
            blobs.append((layer, kind, [random_tensor(f"{network}/{layer}/{i}", "float32", list(shape), *bounds)
                                        for i, (shape, bounds) in enumerate(specs)]))
        path.with_suffix(".caffemodel").write_bytes(caffemodel(blobs))
        given = {"rois": ROIS, "cont": [[0.0, 0.0], [1.0, 1.0], [1.0, 0.0], [1.0, 1.0]]}
        made[network] = {name: array(given[name]) if name in given else random_tensor(f"{network}/{name}", "float32", list(shape), -1.0, 1.0)
                         for name, shape in inputs.items()}
    return made


