#include "serve/json_tensor.h"

#include <cmath>
#include <limits>

#include "serve/datatype.h"
#include "serve/out_of_memory.h"

namespace athanor::serve {
namespace {

using simdjson::dom::element;

// Numbers of every type, because clients write 1 where 1.0 is meant.
template <class T>
bool ReadNumber(element value, T& out) {
  double number = 0;
  if constexpr (std::is_same_v<T, bool>) {
    if (value.get(out) == simdjson::SUCCESS) return true;
    std::int64_t flag = 0;
    if (value.get(flag) != simdjson::SUCCESS || (flag != 0 && flag != 1)) return false;
    out = flag == 1;
    return true;
  } else if constexpr (std::is_integral_v<T>) {
    if (std::int64_t whole = 0; value.get(whole) == simdjson::SUCCESS) {
      out = static_cast<T>(whole);
      return std::in_range<T>(whole);
    }
    std::uint64_t whole = 0;
    if (value.get(whole) != simdjson::SUCCESS) return false;
    out = static_cast<T>(whole);
    return std::in_range<T>(whole);
  } else {
    if (value.is_null()) {
      out = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
      return true;
    }
    if (value.get(number) != simdjson::SUCCESS) return false;
    if constexpr (std::is_same_v<T, double>)
      out = number;
    else
      out = static_cast<T>(static_cast<float>(number));
    return true;
  }
}

bool ReadNumber(element value, std::string& out) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return false;
  out = text;
  return true;
}

template <class T>
class Filler {
 public:
  explicit Filler(std::span<T> out) : out_(out) {}

  Status Add(element value) {
    simdjson::dom::array items;
    if (value.get(items) == simdjson::SUCCESS) {
      for (const element item : items) ATH_RETURN_IF_ERROR(Add(item));
      return {};
    }
    if (at_ == out_.size()) {
      return Error(ErrorCode::kInvalidInput, "\"data\" has more than the {} elements of the shape",
                   out_.size());
    }
    if (!ReadNumber(value, out_[at_])) {
      return Error(ErrorCode::kInvalidInput, "element {} of \"data\" is {}, not a value of {}", at_,
                   simdjson::minify(value).substr(0, 40), ToV2(kDTypeOf<T>));
    }
    ++at_;
    return {};
  }
  std::size_t count() const { return at_; }

 private:
  std::span<T> out_;
  std::size_t at_ = 0;
};

// Each element takes at least two bytes of the document, which bounds how many are allocated. An
// empty string takes three and 32 in memory: the service counts what tensors take.
std::size_t CountLeaves(element value) {
  simdjson::dom::array items;
  if (value.get(items) != simdjson::SUCCESS) return 1;
  std::size_t count = 0;
  for (const element item : items) count += CountLeaves(item);
  return count;
}

}  // namespace

Result<element> ParseJson(simdjson::dom::parser& parser, std::string_view text) {
  element document;
  simdjson::error_code error =
      parser.allocate(std::max<std::size_t>(text.size(), 64), kMostJsonDepth);
  if (error == simdjson::SUCCESS) error = parser.parse(text.data(), text.size()).get(document);
  if (error == simdjson::MEMALLOC) return OutOfMemory();
  if (error == simdjson::DEPTH_ERROR)
    return Error(ErrorCode::kInvalidInput, "the JSON is nested more than {} deep", kMostJsonDepth);
  if (error != simdjson::SUCCESS)
    return Error(ErrorCode::kInvalidInput, "the JSON cannot be read: {}",
                 simdjson::error_message(error));
  return document;
}

Result<Dims> ShapeFromJson(element shape) {
  simdjson::dom::array items;
  if (shape.get(items) != simdjson::SUCCESS)
    return Error(ErrorCode::kInvalidInput, "\"shape\" is no array");
  Dims dims;
  for (const element item : items) {
    std::int64_t dim = 0;
    if (item.get(dim) != simdjson::SUCCESS || dim < 0)
      return Error(ErrorCode::kInvalidInput, "\"shape\" has {}; whole numbers >= 0 are expected",
                   simdjson::minify(item).substr(0, 40));
    dims.push_back(dim);
  }
  return dims;
}

Result<Tensor> TensorFromJson(DType dtype, Dims shape, element data) {
  ATH_TRY(const std::int64_t count, CountElements(shape));
  const std::size_t given = CountLeaves(data);
  if (!data.is_array() || given != static_cast<std::size_t>(count)) {
    return Error(ErrorCode::kInvalidInput, "\"data\" has {} elements; shape {} takes {}",
                 data.is_array() ? given : 0, ToString(shape), count);
  }
  ATH_TRY(Tensor tensor, Tensor::Allocate(dtype, std::move(shape)));
  using All =
      TypeList<float, double, Half, BFloat16, std::int64_t, std::int32_t, std::int16_t, std::int8_t,
               std::uint64_t, std::uint32_t, std::uint16_t, std::uint8_t, bool, std::string>;
  ATH_RETURN_IF_ERROR(Dispatch(All{}, dtype, [&](auto tag) -> Status {
    using T = typename decltype(tag)::Type;
    Filler<T> filler(tensor.MutableData<T>());
    return filler.Add(data);
  }));
  return tensor;
}

}  // namespace athanor::serve
