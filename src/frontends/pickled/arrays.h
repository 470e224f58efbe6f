// NumPy's arrays in pickles: as NumPy writes them, and as joblib does, with their bytes behind the
// object that describes them. Hostile input: sizes are checked against the bytes that are there.
#pragma once

#include <array>
#include <string_view>

#include "core/tensor.h"
#include "frontends/pytorch/pickle.h"

namespace athanor::pickled {

// The classes and functions that arrays name, "module name".
inline constexpr std::array<std::string_view, 9> kArrayNames = {
    "joblib.numpy_pickle NumpyArrayWrapper",
    "numpy dtype",
    "numpy ndarray",
    "numpy._core.multiarray _reconstruct",
    "numpy._core.multiarray scalar",
    "numpy._core.numeric _frombuffer",
    "numpy.core.multiarray _reconstruct",
    "numpy.core.multiarray scalar",
    "numpy.core.numeric _frombuffer",
};

// What follows an object in joblib's files.
Result<pytorch::Following> FollowingOf(const pytorch::Object& object);

// An array of numbers as f64, of whole ones and truth values as i64, of text as strings.
Result<Tensor> ArrayOf(const pytorch::Value& value);

}  // namespace athanor::pickled
