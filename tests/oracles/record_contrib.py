# SPDX-License-Identifier: Apache-2.0
"""Records what ONNX Runtime answers for single operators of com.microsoft and ai.onnx.ml.

Each case becomes a folder in the layout of ONNX's own test suite, below contrib/:
    CASE/model.onnx, CASE/test_data_set_0/input_N.pb and output_N.pb
packed as contrib.tar.gz; `athanor conformance` runs the unpacked folder. Models and inputs are made here
(seeded); only forms on whose answers ONNX Runtime and the specification agree are listed.
"""

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

ARCHIVE = Path(__file__).resolve().parent / "contrib.tar.gz"
MS, ML = "com.microsoft", "ai.onnx.ml"
RNG = np.random.default_rng(20)
FILES = {}  # path in the archive -> bytes
F32, I64, U8, I8, STRING = (TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8, TensorProto.INT8,
                            TensorProto.STRING)


def real(*shape, low=-1.0, high=1.0):
    return RNG.uniform(low, high, shape).astype(np.float32)


def u8(*shape):
    return RNG.integers(0, 256, shape).astype(np.uint8)


def i8(*shape):
    return RNG.integers(-128, 128, shape).astype(np.int8)


def scalar(value, dtype=np.float32):
    return np.array(value, dtype)


def case(name, op, inputs, outputs=(F32,), domain=MS, version=None, **attributes):
    """inputs: arrays, None where omitted, Weight where constant. outputs: element types, None if unwanted."""
    names = [f"i{k}" if value is not None else "" for k, value in enumerate(inputs)]
    out_names = [f"o{k}" if dtype else "" for k, dtype in enumerate(outputs)]
    node = helper.make_node(op, names, out_names, "node", domain=domain, **attributes)
    feeds, weights = {}, []
    for label, value in zip(names, inputs):
        if isinstance(value, Weight):
            weights.append(numpy_helper.from_array(value.array, label))
        elif value is not None:
            feeds[label] = value
    graph = helper.make_graph(
        [node], name,
        [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape)
         for k, v in feeds.items()],
        [helper.make_tensor_value_info(k, t, None) for k, t in zip(out_names, outputs) if t],
        initializer=weights,
    )
    version = version or {MS: 1, ML: 3}[domain]
    model = helper.make_model(
        graph, opset_imports=sets(domain, version), ir_version=8)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    results = session.run(None, feeds)
    FILES[f"contrib/{name}/model.onnx"] = model.SerializeToString()
    for kind, arrays in (("input", feeds.values()), ("output", results)):
        for k, array in enumerate(arrays):
            path = f"contrib/{name}/test_data_set_0/{kind}_{k}.pb"
            FILES[path] = numpy_helper.from_array(np.asarray(array)).SerializeToString()


def sets(domain, version):
    """The operator sets of a model; ai.onnx itself has the wanted version where that is the domain."""
    if domain == "":
        return [helper.make_opsetid("", version)]
    return [helper.make_opsetid("", 17), helper.make_opsetid(domain, version)]


class Weight:
    def __init__(self, array):
        self.array = array


# ---- com.microsoft ---------------------------------------------------------------------------------


def attention_cases():
    x, w, b = real(2, 3, 8), real(8, 24), real(24)
    past = real(2, 2, 2, 2, 4)
    ones = np.ones((2, 5), np.int32)
    ones[1, 0] = 0
    case("attention_plain", "Attention", [x, w, b], num_heads=2)
    case("attention_lengths", "Attention", [x, w, b, np.array([3, 2], np.int32)], num_heads=2)
    case("attention_ends_and_starts", "Attention", [x, w, b, np.array([3, 3, 0, 1], np.int32)], num_heads=2)
    case("attention_mask_2d", "Attention", [x, w, b, ones[:, :3]], num_heads=2)
    case("attention_mask_3d", "Attention", [x, w, b, np.tril(np.ones((2, 3, 3), np.int32))], num_heads=2)
    case("attention_past_causal", "Attention", [x, w, b, ones, past], (F32, F32), num_heads=2, unidirectional=1,
         mask_filter_value=-3.4028234663852886e38)
    case("attention_unequal_widths", "Attention", [x, real(8, 20), real(20), None, None, real(1, 2, 3, 3)],
         num_heads=2, qkv_hidden_sizes=[8, 8, 4], scale=0.3)
    q, k, v = real(2, 3, 8), real(2, 4, 8), real(2, 4, 8)
    case("multi_head_attention_bias_mask", "MultiHeadAttention",
         [q, k, v, real(24), np.array([[1, 1, 1, 0], [1, 1, 1, 1]], np.int32)], num_heads=2)
    case("multi_head_attention_past", "MultiHeadAttention",
         [q, real(2, 3, 8), real(2, 3, 8), None, None, real(1, 2, 3, 5), real(2, 2, 2, 4), real(2, 2, 2, 4)],
         (F32, F32, F32), num_heads=2)
    case("multi_head_attention_causal", "MultiHeadAttention", [q, real(2, 3, 8), real(2, 3, 8)], num_heads=2,
         unidirectional=1)
    case("multi_head_attention_cross", "MultiHeadAttention", [q, real(2, 2, 4, 4), real(2, 2, 4, 4)], num_heads=2)
    cos, sin = real(16, 4), real(16, 4)
    total = scalar(3, np.int32)
    case("group_query_attention_prompt", "GroupQueryAttention",
         [real(2, 3, 32), real(2, 3, 16), real(2, 3, 16), None, None, np.array([2, 2], np.int32), total],
         (F32, F32, F32), num_heads=4, kv_num_heads=2)
    case("group_query_attention_decode_rotary", "GroupQueryAttention",
         [real(2, 1, 64), real(2, 1, 32), real(2, 1, 32), real(2, 2, 6, 16), real(2, 2, 6, 16),
          np.array([3, 5], np.int32), scalar(6, np.int32), real(16, 8), real(16, 8)],
         (F32, F32, F32), num_heads=4, kv_num_heads=2, do_rotary=1)
    case("group_query_attention_packed_window", "GroupQueryAttention",
         [real(1, 4, 64), None, None, None, None, np.array([3], np.int32), scalar(4, np.int32)],
         (F32, F32, F32), num_heads=4, kv_num_heads=2, local_window_size=2, softcap=0.5)
    position = np.array([[0, 1, 2], [4, 5, 6]], np.int64)
    for interleaved in (0, 1):
        case(f"rotary_embedding_{interleaved}", "RotaryEmbedding", [real(2, 3, 16), position, cos, sin],
             interleaved=interleaved)
    case("rotary_embedding_offset", "RotaryEmbedding", [real(2, 2, 3, 8), np.array([2], np.int64), cos, sin])


def layer_cases():
    x, skip, gamma, beta, bias = real(2, 3, 8), real(2, 3, 8), real(8), real(8), real(8)
    case("skip_layer_normalization", "SkipLayerNormalization", [x, skip, gamma, beta, bias],
         (F32, None, None, F32), epsilon=1e-5)
    case("skip_layer_normalization_broadcast", "SkipLayerNormalization", [x, real(1, 3, 8), gamma])
    case("skip_simplified_layer_normalization", "SkipSimplifiedLayerNormalization", [x, skip, gamma, bias],
         (F32, None, None, F32), epsilon=1e-5)
    case("simplified_layer_normalization", "SimplifiedLayerNormalization", [x, gamma], (F32,), "", 17, axis=-1,
         epsilon=1e-5)
    ids = RNG.integers(0, 10, (2, 4)).astype(np.int32)
    segments = RNG.integers(0, 2, (2, 4)).astype(np.int32)
    mask = np.array([[1, 1, 1, 0], [1, 1, 1, 1]], np.int32)
    case("embed_layer_normalization", "EmbedLayerNormalization",
         [ids, segments, real(10, 8), real(6, 8), real(2, 8), gamma, beta, mask], (F32, TensorProto.INT32))
    case("embed_layer_normalization_positions", "EmbedLayerNormalization",
         [ids, None, real(10, 8), real(6, 8), None, gamma, beta, None, ids % 6], (F32, TensorProto.INT32, F32))
    case("bias_gelu", "BiasGelu", [x, bias])
    case("fast_gelu_bias", "FastGelu", [x, bias])
    case("gelu", "Gelu", [x])
    case("quick_gelu", "QuickGelu", [x], alpha=1.2)
    image, kernel = real(1, 2, 5, 5), real(3, 2, 3, 3)
    case("fused_conv_relu", "FusedConv", [image, kernel, real(3)], activation="Relu", pads=[1, 1, 1, 1])
    case("fused_conv_clip_sum", "FusedConv", [image, kernel, real(3), real(1, 3, 3, 3)], activation="Clip",
         activation_params=[-0.5, 0.5])
    case("fused_gemm_leaky_relu", "FusedGemm", [real(4, 3), real(5, 4), real(5)], transA=1, transB=1, alpha=0.5,
         activation="LeakyRelu", activation_alpha=0.2)
    case("fused_mat_mul", "FusedMatMul", [real(2, 4, 3), real(2, 5, 4)], transA=1, transB=1, alpha=0.5)
    case("fused_mat_mul_batch", "FusedMatMul", [real(3, 2, 4), real(4, 2, 5)], transBatchA=1, transBatchB=1)
    case("fused_mat_mul_batch_trans", "FusedMatMul", [real(4, 2, 3), real(2, 4, 5)], transBatchA=1, transA=1)


def quant_cases():
    scale = [scalar(0.0313), scalar(0.0517), scalar(0.0429)]  # no sum or product lies half way between integers
    zero = [scalar(v, np.uint8) for v in (120, 130, 128)]
    a, b = u8(2, 3, 4, 4), u8(2, 3, 4, 4)
    for op in ("Add", "Mul"):
        case(f"qlinear_{op.lower()}", f"QLinear{op}", [a, scale[0], zero[0], b, scale[1], zero[1], scale[2], zero[2]],
             (U8,))
    case("qlinear_average_pool", "QLinearAveragePool", [a, scale[0], zero[0], scale[2], zero[2]], (U8,),
         kernel_shape=[2, 2], strides=[2, 2])
    case("qlinear_average_pool_last", "QLinearAveragePool", [a, scale[0], zero[0], scale[2], zero[2]], (U8,),
         kernel_shape=[2, 2], channels_last=1)
    case("qlinear_global_average_pool", "QLinearGlobalAveragePool", [a, scale[0], zero[0], scale[2], zero[2]], (U8,))
    case("qlinear_concat", "QLinearConcat", [Weight(scale[2]), Weight(zero[2]), a, Weight(scale[0]), Weight(zero[0]),
                                             b, Weight(scale[1]), Weight(zero[1])], (U8,), axis=1)
    case("qlinear_sigmoid", "QLinearSigmoid", [a, scale[0], zero[0], scalar(1 / 256), scalar(0, np.uint8)], (U8,))
    case("qlinear_leaky_relu", "QLinearLeakyRelu", [a, scale[0], zero[0], scale[2], zero[2]], (U8,), alpha=0.1)
    case("qlinear_softmax", "QLinearSoftmax", [a, scale[0], Weight(zero[0]), Weight(scalar(1 / 256)),
                                               Weight(scalar(0, np.uint8))], (U8,), axis=-1, opset=13)
    case("qlinear_where", "QLinearWhere", [a > 100, a, scale[0], zero[0], b, scale[1], zero[1], scale[2], zero[2]],
         (U8,))
    m, n = u8(4, 6), i8(6, 5)
    case("mat_mul_integer_to_float", "MatMulIntegerToFloat",
         [m, n, scale[0], real(5, low=0.01, high=0.05), zero[0], Weight(i8(5)), real(5)])
    case("dynamic_quantize_mat_mul", "DynamicQuantizeMatMul",
         [real(4, 6), n, real(5, low=0.01, high=0.05), i8(5), real(5)])
    case("qgemm", "QGemm", [m, scale[0], zero[0], Weight(n.T.copy()), Weight(scale[1]), Weight(scalar(3, np.int8)),
                            RNG.integers(-99, 99, 5).astype(np.int32), scalar(3.0), zero[2]], (U8,), transB=1)
    case("qgemm_float", "QGemm", [m, scale[0], zero[0], Weight(n), Weight(scale[1]), Weight(scalar(3, np.int8))],
         alpha=0.5)
    case("quantize_linear", "QuantizeLinear", [real(2, 3), scale[0], zero[0]], (U8,))
    case("dequantize_linear", "DequantizeLinear", [a, scale[0], zero[0]])
    for bits in (2, 4, 8):
        packed, zeros = u8(5, 3, 32 * bits // 8), u8(5, (3 * bits + 7) // 8)
        scales = real(5, 3, low=0.01, high=0.1)
        size = {"K": 80, "N": 5, "bits": bits, "block_size": 32}
        case(f"mat_mul_nbits_{bits}", "MatMulNBits", [real(2, 80), Weight(packed), Weight(scales)], **size)
        case(f"mat_mul_nbits_{bits}_zeros", "MatMulNBits",
             [real(2, 80), Weight(packed), Weight(scales), Weight(zeros)], **size)
    size = {"K": 80, "N": 5, "bits": 4, "block_size": 32}
    packed, scales = u8(5, 3, 16), real(5, 3, low=0.01, high=0.1)
    case("mat_mul_nbits_groups_bias", "MatMulNBits",
         [real(2, 80), Weight(packed), Weight(scales), None, Weight((np.arange(80) % 3).astype(np.int32)),
          real(5)], **size)
    case("mat_mul_nbits_real_zeros", "MatMulNBits",
         [real(2, 80), Weight(packed), Weight(scales), Weight(real(5, 3, low=0, high=15))], **size)


# ---- ai.onnx.ml ------------------------------------------------------------------------------------


def forest(trees, features):
    """Random complete trees of depth 2 with every comparison: the nodes, and (tree, leaf) pairs."""
    modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
    nodes = {key: [] for key in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids",
                                 "falsenodeids", "missing_value_tracks_true")}
    leaves = []
    for tree in range(trees):
        for node in range(7):
            inner = node < 3
            row = (tree, node, int(RNG.integers(features)) if inner else 0,
                   modes[int(RNG.integers(6))] if inner else "LEAF", float(RNG.integers(-2, 3)) if inner else 0.0,
                   2 * node + 1 if inner else 0, 2 * node + 2 if inner else 0, int(RNG.integers(2)) if inner else 0)
            for key, value in zip(nodes, row):
                nodes[key].append(value)
            if not inner:
                leaves.append((tree, node))
    return {f"nodes_{key}": values for key, values in nodes.items()}, leaves


def tree_cases():
    x = RNG.integers(-2, 3, (40, 3)).astype(np.float32)
    nodes, leaves = forest(6, 3)
    trees, ids = [t for t, _ in leaves], [n for _, n in leaves]
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        case(f"tree_regressor_{aggregate.lower()}", "TreeEnsembleRegressor", [x], domain=ML, **nodes, n_targets=1,
             target_treeids=trees, target_nodeids=ids, target_ids=[0] * len(ids),
             target_weights=real(len(ids)).tolist(), aggregate_function=aggregate, base_values=[0.25])
    case("tree_regressor_targets_softmax", "TreeEnsembleRegressor", [x], domain=ML, **nodes, n_targets=2,
         target_treeids=trees * 2, target_nodeids=ids * 2, target_ids=[0] * len(ids) + [1] * len(ids),
         target_weights=real(2 * len(ids)).tolist(), post_transform="SOFTMAX")
    def classify(name, weights, classes, labels, dtype, post, **more):
        key = "classlabels_int64s" if dtype == I64 else "classlabels_strings"
        case(name, "TreeEnsembleClassifier", [x], (dtype, F32), ML, **nodes, class_treeids=trees * classes,
             class_nodeids=ids * classes, class_ids=sorted(list(range(classes)) * len(ids)),
             class_weights=weights.tolist(), post_transform=post, **{key: labels}, **more)
    n = len(ids)
    classify("tree_classifier_two_logistic", real(n), 1, [0, 1], I64, "LOGISTIC", base_values=[-0.1])
    classify("tree_classifier_two_none", real(n), 1, [5, 7], I64, "NONE")
    classify("tree_classifier_two_positive", real(n, low=0, high=0.17), 1, [5, 7], I64, "NONE")
    classify("tree_classifier_three", real(3 * n), 3, ["a", "b", "c"], STRING, "SOFTMAX")
    classify("tree_classifier_three_logistic", real(3 * n), 3, [1, 2, 3], I64, "LOGISTIC", base_values=[0.1, 0.2, 0.3])


def table_cases():
    x = real(6, 3, low=-3, high=3)
    case("linear_regressor", "LinearRegressor", [x], domain=ML, coefficients=real(6).tolist(), targets=2,
         intercepts=[0.5, -0.5])
    case("linear_classifier_two", "LinearClassifier", [x], (I64, F32), ML, coefficients=real(6).tolist(),
         intercepts=[0.1, -0.1], classlabels_ints=[3, 4], post_transform="LOGISTIC")
    case("linear_classifier_three", "LinearClassifier", [x], (STRING, F32), ML, coefficients=real(9).tolist(),
         intercepts=[0.1, -0.1, 0.2], classlabels_strings=["a", "b", "c"], post_transform="SOFTMAX")
    for norm in ("MAX", "L1", "L2"):
        case(f"normalizer_{norm.lower()}", "Normalizer", [np.abs(x)], domain=ML, norm=norm)
    case("scaler", "Scaler", [x], domain=ML, offset=[1.0, 2.0, 3.0], scale=[0.5, 0.25, 2.0])
    holes = x.copy()
    holes[::2, 1] = np.nan
    case("imputer", "Imputer", [holes], domain=ML, imputed_value_floats=[1.0, 2.0, 3.0],
         replaced_value_float=float("nan"))
    case("one_hot_encoder", "OneHotEncoder", [np.array([[1, 2], [3, 9]], np.int64)], domain=ML,
         cats_int64s=[1, 2, 3], zeros=1)
    case("feature_vectorizer", "FeatureVectorizer", [x, x[:, :2].copy()], domain=ML, inputdimensions=[3, 2])
    case("label_encoder_float", "LabelEncoder", [np.array([1.0, np.nan, 3.0], np.float32)], (I64,), ML, 4,
         keys_floats=[1.0, float("nan")], values_int64s=[10, 20], default_int64=-5)
    case("array_feature_extractor", "ArrayFeatureExtractor", [x, np.array([2, 0], np.int64)], domain=ML)
    case("binarizer", "Binarizer", [x], domain=ML, threshold=0.5)
    machine = {"coefficients": real(4).tolist(), "support_vectors": real(4, 3).ravel().tolist(), "rho": [0.2],
               "n_supports": 4}
    for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        case(f"svm_regressor_{kernel.lower()}", "SVMRegressor", [x], domain=ML, kernel_type=kernel,
             kernel_params=[0.4, 0.1, 3.0], **machine)
    case("svm_regressor_one_class", "SVMRegressor", [x], domain=ML, kernel_type="RBF", one_class=1,
         kernel_params=[0.4, 0.0, 0.0], **(machine | {"rho": [-0.1]}))
    x, labels = real(4, 3), {"classlabels_ints": [4, 7, 9]}
    three = {"coefficients": real(2, 6).ravel().tolist(), "support_vectors": real(6, 3).ravel().tolist(),
             "rho": [0.2, -0.1, 0.05], "vectors_per_class": [2, 1, 3], "kernel_params": [0.4, 0.1, 3.0]}
    for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        case(f"svm_classifier_{kernel.lower()}", "SVMClassifier", [x], (I64, F32), ML, kernel_type=kernel,
             **three, **labels)
    case("svm_classifier_probabilities", "SVMClassifier", [x], (STRING, F32), ML, kernel_type="RBF",
         classlabels_strings=["a", "b", "c"], prob_a=[-1.5, -2.0, -0.7], prob_b=[0.1, 0.0, -0.2], **three)
    two = {"coefficients": real(4).tolist(), "support_vectors": real(4, 3).ravel().tolist(), "rho": [0.1],
           "vectors_per_class": [2, 2], "kernel_params": [0.4, 0.1, 3.0], "classlabels_ints": [4, 7]}
    case("svm_classifier_two", "SVMClassifier", [x], (I64, F32), ML, kernel_type="RBF", **two)
    case("svm_classifier_two_probabilities", "SVMClassifier", [x], (I64, F32), ML, kernel_type="RBF",
         prob_a=[-1.5], prob_b=[0.1], **two)
    case("svm_classifier_without_vectors", "SVMClassifier", [x], (I64, F32), ML, kernel_type="LINEAR",
         coefficients=real(9).tolist(), rho=[0.1], post_transform="SOFTMAX",
         kernel_params=[0.0, 0.0, 0.0], **labels)
    case("svm_regressor_without_vectors", "SVMRegressor", [x], domain=ML, kernel_type="LINEAR",
         kernel_params=[0.0, 0.0, 0.0], coefficients=[0.5, -1.0, 2.0], rho=[0.1])


def sampling_cases():
    """Operators of ai.onnx whose node tests cover few of their modes."""
    x, grid = real(2, 2, 3, 4), real(2, 3, 2, 2, low=-1.6, high=1.6)
    volume, places = real(1, 2, 2, 3, 4), real(1, 2, 2, 3, 3, low=-1.6, high=1.6)
    for padding in ("zeros", "border", "reflection"):
        for align in (0, 1):
            more = {"padding_mode": padding, "align_corners": align}
            for mode in ("bilinear", "nearest", "bicubic"):
                case(f"grid_sample_{mode}_{padding}_{align}", "GridSample", [x, grid], (F32,), "", 16, mode=mode,
                     **more)
            for mode in ("linear", "nearest"):
                case(f"grid_sample_3d_{mode}_{padding}_{align}", "GridSample", [volume, places], (F32,), "", 20,
                     mode=mode, **more)
    for align in (0, 1):
        case(f"affine_grid_2d_{align}", "AffineGrid", [real(2, 2, 3), np.array([2, 1, 3, 4], np.int64)], (F32,), "",
             20, align_corners=align)
        case(f"affine_grid_3d_{align}", "AffineGrid", [real(1, 3, 4), np.array([1, 1, 2, 3, 4], np.int64)], (F32,),
             "", 20, align_corners=align)
    image, index = real(2, 2, 6, 7), np.array([1, 0, 1], np.int64)
    rois = np.array([[0, 0, 9, 8], [3.3, 2.1, 5.2, 11.7], [-4, -3, 30, 20]], np.float32)
    for mode in ("avg", "max"):
        for ratio in (0, 2):
            size = {"output_height": 3, "output_width": 2, "sampling_ratio": ratio, "spatial_scale": 0.5, "mode": mode}
            case(f"roi_align_10_{mode}_{ratio}", "RoiAlign", [image, rois, index], (F32,), "", 10, **size)
            for transform in ("half_pixel", "output_half_pixel"):
                case(f"roi_align_16_{mode}_{ratio}_{transform}", "RoiAlign", [image, rois, index], (F32,), "", 16,
                     coordinate_transformation_mode=transform, **size)
    boxes = np.concatenate([index[:, None].astype(np.float32), rois], 1)
    case("max_roi_pool", "MaxRoiPool", [image, boxes], (F32,), "", 1, pooled_shape=[3, 2], spatial_scale=0.5)
    data, weight = real(1, 4, 5, 4), real(4, 2, 3, 2)
    moves, factors = real(1, 24, 3, 4, low=-2, high=2), real(1, 12, 3, 4)
    case("deform_conv", "DeformConv", [data, weight, moves, real(4), factors], (F32,), "", 19, group=2,
         offset_group=2, pads=[1, 1, 1, 0], strides=[2, 1])
    case("deform_conv_plain", "DeformConv", [data, real(2, 4, 2, 2), real(1, 8, 4, 2)], (F32,), "", 19,
         dilations=[1, 2])
    case("inverse", "Inverse", [real(2, 3, 3)])


def optimised_cases():
    """What ONNX Runtime's own tools for transformers and its optimiser put into files."""
    x, bias = u8(2, 5, 8), real(24)
    common = [Weight(i8(8, 24)), Weight(bias), scalar(0.02)]
    columns = [Weight(real(24, low=0.002, high=0.02)), np.array([3, 5], np.int32), scalar(120, np.uint8),
               Weight(np.zeros(24, np.int8))]
    one = [Weight(scalar(0.01)), None, scalar(120, np.uint8), Weight(scalar(0, np.int8))]
    case("qattention_lengths", "QAttention", [x, *common, *columns], num_heads=2)
    case("qattention_causal", "QAttention", [x, *common, *one], num_heads=2, unidirectional=1)
    case("qattention_past", "QAttention", [x, *common, *one, real(2, 2, 2, 3, 4)], (F32, F32), num_heads=2,
         unidirectional=1)
    ids, segments, mask = (RNG.integers(0, 20, (2, 6)).astype(np.int32), RNG.integers(0, 2, (2, 6)).astype(np.int32),
                           np.array([[1, 1, 1, 0, 0, 0], [1] * 6], np.int32))
    tables = [Weight(u8(20, 16)), Weight(u8(8, 16)), Weight(u8(2, 16)), Weight(u8(16)), Weight(u8(16))]
    scales = [Weight(scalar(s)) for s in (0.01, 0.02, 0.03, 0.01, 0.01)]
    zeros = [Weight(scalar(z, np.uint8)) for z in (128, 127, 100, 30, 120)]
    case("qembed_layer_normalization", "QEmbedLayerNormalization", [ids, segments, *tables, mask, *scales, *zeros],
         (F32, TensorProto.INT32), epsilon=1e-5)
    for without in (tables, scales, zeros):
        without[2] = None
    case("qembed_without_segments", "QEmbedLayerNormalization", [ids, None, *tables, None, *scales, *zeros],
         (F32, TensorProto.INT32), epsilon=1e-5)
    places = np.array([[1, 5], [11, 0]], np.int64)
    blocks = Weight(real(12, 2, low=0.01, high=0.1))
    case("gather_block_quantized", "GatherBlockQuantized", [Weight(u8(12, 32)), places, blocks], bits=4, block_size=32,
         gather_axis=0, quantize_axis=1)
    case("gather_block_quantized_zeros", "GatherBlockQuantized", [Weight(u8(12, 32)), places, blocks, Weight(u8(12, 1))],
         bits=4, block_size=32, gather_axis=0, quantize_axis=1)
    case("gather_block_quantized_bytes", "GatherBlockQuantized", [Weight(u8(12, 64)), places, blocks], bits=8,
         block_size=32, gather_axis=0, quantize_axis=1)
    for kind, name in enumerate(("fp4", "nf4")):
        case(f"mat_mul_bnb4_{name}", "MatMulBnb4", [real(3, 32), Weight(u8(80)), Weight(real(10, low=0.1))], K=32, N=5,
             block_size=16, quant_type=kind)
    weights = [Weight(i8(6, 4, 3, 3)), Weight(real(6, low=0.001, high=0.02)), Weight(np.zeros(6, np.int8)),
               Weight(scalar(0.1)), Weight(scalar(100, np.uint8)), Weight(RNG.integers(-500, 500, 6).astype(np.int32))]
    for last in (0, 1):
        picture = u8(1, 6, 7, 4) if last else u8(1, 4, 6, 7)
        case(f"qlinear_conv_{last}", "QLinearConv",
             [picture, Weight(scalar(0.02)), Weight(scalar(120, np.uint8)), *weights], (U8,), channels_last=last,
             kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 1])
    case("nhwc_max_pool", "NhwcMaxPool", [u8(1, 6, 7, 4)], (U8,), kernel_shape=[2, 2], strides=[2, 2])
    words = [RNG.integers(-3000, 3000, shape).astype(np.int16) for shape in ((3, 8), (8, 4))]
    case("mat_mul_integer16", "MatMulInteger16", words, (TensorProto.INT32,))


def main():
    for group in (attention_cases, layer_cases, quant_cases, tree_cases, table_cases, sampling_cases, optimised_cases):
        group()
    # No times and no owners: the same cases give the same archive.
    with ARCHIVE.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, 0) as packed, \
            tarfile.open(fileobj=packed, mode="w") as archive:
        for path, data in sorted(FILES.items()):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    print(sum(path.endswith("model.onnx") for path in FILES), "cases in", ARCHIVE.name)


if __name__ == "__main__":
    main()
