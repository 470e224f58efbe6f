# SPDX-License-Identifier: Apache-2.0
"""Keras networks for record_tensorflow.py: each is saved as .keras and .h5, some are exported as SavedModels."""

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers as L

ALL, FILES = ("keras", "h5", "model"), ("keras", "h5")


@dataclass
class Case:
    name: str
    make: object   # gives the model
    inputs: list   # (dtype letter, shape with the batch)
    forms: tuple = FILES


def shake(model):
    """Weights that training would have moved: biases and statistics are no longer 0 and 1."""
    rng = np.random.default_rng(5)
    for weight in model.weights:
        if not np.issubdtype(np.dtype(weight.dtype), np.floating):
            continue
        value = np.asarray(weight) + rng.normal(size=weight.shape).astype(np.float32) * 0.1
        weight.assign(np.abs(value) + 0.1 if "variance" in weight.path else value)
    return model


def sequential(*layers, shape):
    return lambda: shake(keras.Sequential([keras.Input(shape), *[make() for make in layers]]))


def mobile():
    """Depthwise and pointwise convolutions with a residual, as in MobileNet."""
    inputs = keras.Input((24, 20, 3))
    x = L.Rescaling(1 / 127.5, offset=-1)(inputs)
    x = L.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = L.BatchNormalization()(x)
    x = L.ReLU(max_value=6.0)(x)
    y = L.DepthwiseConv2D(3, padding="same")(x)
    y = L.BatchNormalization(scale=False)(y)
    y = L.Activation("hard_swish")(y)
    y = L.Conv2D(8, 1)(y)
    x = L.Add()([x, y])
    x = L.ZeroPadding2D(((0, 1), (1, 2)))(x)
    x = L.SeparableConv2D(12, 3, strides=2, activation="relu")(x)
    x = L.GlobalAveragePooling2D(keepdims=True)(x)
    x = L.Flatten()(L.Dropout(0.3)(x))
    return shake(keras.Model(inputs, L.Dense(5, activation="softmax")(x)))


def unet():
    inputs = keras.Input((16, 16, 2))
    a = L.Conv2D(6, 3, padding="same", activation="relu")(inputs)
    b = L.MaxPooling2D()(a)
    b = L.Conv2D(10, 3, padding="same", dilation_rate=2, activation="elu")(b)
    c = L.Conv2DTranspose(6, 3, strides=2, padding="same")(b)
    d = L.UpSampling2D(2, interpolation="bilinear")(b)
    x = L.Concatenate()([a, c, d])
    x = L.Cropping2D(((1, 2), (0, 1)))(x)
    x = L.Conv2D(3, 1, activation="sigmoid")(x)
    y = L.UpSampling2D((3, 2))(L.AveragePooling2D(3, strides=2, padding="same")(b))
    return shake(keras.Model(inputs, [x, y]))


def two_inputs():
    left, right = keras.Input((6,), name="left"), keras.Input((6,), name="right")
    shared = L.Dense(4, activation="tanh", name="shared")
    a, b = shared(left), shared(right)
    parts = [L.Subtract()([a, b]), L.Multiply()([a, b]), L.Maximum()([a, b]), L.Minimum()([a, b]), L.Average()([a, b]),
             L.Dot(axes=1, normalize=True)([a, b])]
    return shake(keras.Model([left, right], L.Dense(3)(L.Concatenate()(parts))))


def nested():
    block = keras.Sequential([keras.Input((7,)), L.Dense(5, activation="relu"), L.LayerNormalization()], name="block")
    inputs = keras.Input((4, 7))
    x = L.TimeDistributed(block)(inputs)
    inner_in = keras.Input((4, 5))
    inner = keras.Model(inner_in, [L.Permute((2, 1))(inner_in), L.Reshape((20,))(inner_in)], name="inner")
    a, b = inner(x)
    return shake(keras.Model(inputs, [L.Dense(3)(a), L.RepeatVector(2)(b)]))


def text():
    inputs = keras.Input((9,), dtype="int32")
    x = L.Embedding(30, 8)(inputs)
    x = L.Bidirectional(L.LSTM(5, return_sequences=True))(x)
    x = L.GRU(6, return_sequences=True)(x)
    x = L.SimpleRNN(4)(x)
    return shake(keras.Model(inputs, L.Dense(2, activation="softmax")(x)))


def attention():
    inputs = keras.Input((6, 8))
    x = L.MultiHeadAttention(2, 4)(inputs, inputs)
    x = L.LayerNormalization(epsilon=1e-6)(L.Add()([x, inputs]))
    y = L.Dense(16, activation="gelu")(x)
    y = L.Dense(8)(y)
    x = L.LayerNormalization()(x + y)
    return shake(keras.Model(inputs, L.GlobalMaxPooling1D()(x)))


def sequence():
    inputs = keras.Input((20, 3))
    x = L.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="swish")(inputs)
    x = L.MaxPooling1D(2)(x)
    x = L.SeparableConv1D(5, 3, padding="same")(x)
    x = L.Conv1DTranspose(4, 3, strides=2, padding="same")(x)
    x = L.ZeroPadding1D(1)(L.Cropping1D(1)(L.UpSampling1D(2)(L.AveragePooling1D(2)(x))))
    x = L.LSTM(4, go_backwards=True)(x)
    return shake(keras.Model(inputs, x))


def volume():
    return shake(keras.Sequential([keras.Input((6, 8, 7, 2)), L.Conv3D(4, 3, padding="same"), L.MaxPooling3D(2),
                                   L.AveragePooling3D((1, 2, 1)), L.GlobalAveragePooling3D()]))


def keras_cases():
    yield Case("mobile", mobile, [("f", (2, 24, 20, 3), 0, 255)], ALL)
    yield Case("unet", unet, [("f", (2, 16, 16, 2))], ALL)
    yield Case("two_inputs", two_inputs, [("f", (3, 6)), ("f", (3, 6))], ALL)
    yield Case("nested", nested, [("f", (2, 4, 7))])
    yield Case("text", text, [("i", (2, 9), 0, 30)], ALL)
    yield Case("attention", attention, [("f", (2, 6, 8))], ALL)
    yield Case("sequence", sequence, [("f", (2, 20, 3))], ALL)
    yield Case("volume", volume, [("f", (1, 6, 8, 7, 2))], ALL)
    for name in ["relu", "relu6", "elu", "selu", "gelu", "sigmoid", "tanh", "softmax", "softplus", "softsign", "swish", "mish",
                 "hard_sigmoid", "hard_tanh", "exponential", "linear", "leaky_relu", "log_softmax", "celu", "silu"]:
        yield Case(f"activation_{name}", sequential(lambda name=name: L.Dense(4, activation=name), shape=(3,)), [("f", (2, 3))],
                   ("keras",))
    rows = {"LeakyReLU": lambda: L.LeakyReLU(negative_slope=0.2), "PReLU": lambda: L.PReLU(), "ELU": lambda: L.ELU(alpha=0.7),
            "ReLU": lambda: L.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2), "Softmax": lambda: L.Softmax(axis=1),
            "BatchNormalization": lambda: L.BatchNormalization(axis=1), "UnitNormalization": lambda: L.UnitNormalization(),
            "Normalization": lambda: L.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]),
            "GaussianNoise": lambda: L.GaussianNoise(0.5), "EinsumDense": lambda: L.EinsumDense("abc,cd->abd", output_shape=(None, 5), bias_axes="d"),
            "GlobalAveragePooling1D": lambda: L.GlobalAveragePooling1D(), "LSTM_states": lambda: L.LSTM(3, return_sequences=True),
            "GRU_before_reset": lambda: L.GRU(3, reset_after=False), "SpatialDropout1D": lambda: L.SpatialDropout1D(0.5)}
    for name, make in rows.items():
        yield Case(name, sequential(make, shape=(4, 3)), [("f", (2, 4, 3))])
    yield Case("GroupNormalization", sequential(lambda: L.GroupNormalization(2), shape=(5, 4, 6)), [("f", (2, 5, 4, 6))])
    yield Case("GlobalMaxPooling2D", sequential(lambda: L.GlobalMaxPooling2D(), shape=(5, 4, 6)), [("f", (2, 5, 4, 6))])
    yield Case("channels_first", sequential(lambda: L.Permute((3, 1, 2)), lambda: L.Flatten(data_format="channels_first"),
                                            lambda: L.Dense(3), shape=(5, 4, 6)), [("f", (2, 5, 4, 6))])
