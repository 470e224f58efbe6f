#include "io/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

namespace athanor::io {
namespace {

// The value of each pixel code after normalising, per channel.
template <class T>
using Table = std::array<T, 256>;

template <class T>
T Convert(double value) {
  if constexpr (std::is_integral_v<T>) {
    using Limits = std::numeric_limits<T>;
    // As a double the largest 64-bit number is one too many, so it is never converted back.
    if (value >= static_cast<double>(Limits::max())) return Limits::max();
    if (!(value > static_cast<double>(Limits::min()))) return Limits::min();
    return static_cast<T>(std::nearbyint(value));
  } else {
    return T(static_cast<float>(value));
  }
}

double At(const std::vector<double>& values, std::size_t channel) {
  return values.size() == 1 ? values[0] : values[channel];
}

template <class T>
void Fill(const Tensor& image, const Preprocess& steps, Layout layout, std::span<T> out) {
  const auto in = image.Data<std::uint8_t>();
  const auto channels = static_cast<std::size_t>(image.dim(2));
  const std::size_t pixels = in.size() / channels;
  for (std::size_t c = 0; c < channels; ++c) {
    Table<T> table;
    for (std::size_t code = 0; code < table.size(); ++code) {
      table[code] = Convert<T>((static_cast<double>(code) - At(steps.mean, c)) / At(steps.std, c));
    }
    const std::size_t from = steps.bgr ? channels - 1 - c : c;
    const std::size_t start = layout == Layout::kNchw ? c * pixels : c;
    const std::size_t step = layout == Layout::kNchw ? 1 : channels;
    for (std::size_t i = 0; i < pixels; ++i) out[start + i * step] = table[in[i * channels + from]];
  }
}

Status CheckChannels(const Preprocess& steps, std::int64_t channels) {
  for (const auto* values : {&steps.mean, &steps.std}) {
    const auto count = static_cast<std::int64_t>(values->size());
    if (count != 1 && count != channels) {
      return Error(ErrorCode::kUsage, "{} has {} values for {} channels; 1 or {} are accepted",
                   values == &steps.mean ? "--mean" : "--std", count, channels, channels);
    }
  }
  if (std::find(steps.std.begin(), steps.std.end(), 0.0) != steps.std.end())
    return Error(ErrorCode::kUsage, "--std must not be 0");
  return {};
}

}  // namespace

Result<Tensor> FitImage(const Tensor& image, const Preprocess& steps, const ImageInput& input) {
  if (image.rank() != 3) return Error(ErrorCode::kInvalidInput, "a picture has three dimensions");
  Tensor fitted = image;
  const auto size = [&] { return Size{fitted.dim(0), fitted.dim(1)}; };
  if (steps.resize_short) {
    ATH_TRY(fitted, Resize(fitted, ShortSideTo(size(), *steps.resize_short)));
  }
  if (steps.resize) {
    ATH_TRY(fitted, Resize(fitted, *steps.resize));
  }
  if (steps.crop) {
    const auto ratio = [](std::int64_t wanted, std::int64_t given) {
      return static_cast<double>(wanted) / static_cast<double>(std::max<std::int64_t>(1, given));
    };
    const double grow =
        std::max(ratio(steps.crop->height, size().height), ratio(steps.crop->width, size().width));
    if (grow > 1) {
      const auto scaled = [&](std::int64_t side, std::int64_t least) {
        return std::max<std::int64_t>(least, std::llround(static_cast<double>(side) * grow));
      };
      ATH_TRY(fitted, Resize(fitted, {scaled(size().height, steps.crop->height),
                                      scaled(size().width, steps.crop->width)}));
    }
    ATH_TRY(fitted, CentreCrop(fitted, *steps.crop));
  }
  if (input.size && size() != *input.size) {
    ATH_TRY(fitted, Resize(fitted, *input.size));
  }
  return fitted;
}

Result<Tensor> ToNetworkInput(const Tensor& image, const Preprocess& steps,
                              const ImageInput& input) {
  ATH_TRY(const Tensor fitted, FitImage(image, steps, input));
  const std::int64_t height = fitted.dim(0), width = fitted.dim(1), channels = fitted.dim(2);
  if (channels != input.channels) {
    return Error(ErrorCode::kInvalidInput, "the picture has {} channels, the network reads {}",
                 channels, input.channels);
  }
  ATH_RETURN_IF_ERROR(CheckChannels(steps, channels));
  Dims dims = input.layout == Layout::kNchw ? Dims{1, channels, height, width}
                                            : Dims{1, height, width, channels};
  ATH_TRY(Tensor out, Tensor::Allocate(input.dtype, std::move(dims)));
  using Types = TypeList<float, Half, BFloat16, double, std::uint8_t, std::int8_t, std::int16_t,
                         std::int32_t, std::int64_t>;
  ATH_RETURN_IF_ERROR(Dispatch(Types{}, input.dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    Fill<T>(fitted, steps, input.layout, out.MutableData<T>());
    return {};
  }));
  return out;
}

}  // namespace athanor::io
