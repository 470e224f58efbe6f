// The writing half of npy.h.
#include <algorithm>
#include <cstring>
#include <map>

#include "core/file.h"
#include "io/npy.h"

namespace athanor::io {
namespace {

const std::map<DType, std::string_view>& Descriptions() {
  static const std::map<DType, std::string_view> descriptions = {
      {DType::kBool, "|b1"}, {DType::kI8, "|i1"},    {DType::kI16, "<i2"}, {DType::kI32, "<i4"},
      {DType::kI64, "<i8"},  {DType::kU8, "|u1"},    {DType::kU16, "<u2"}, {DType::kU32, "<u4"},
      {DType::kU64, "<u8"},  {DType::kF16, "<f2"},   {DType::kF32, "<f4"}, {DType::kF64, "<f8"},
      {DType::kC64, "<c8"},  {DType::kC128, "<c16"},
  };
  return descriptions;
}

// Types NumPy has no name for, in the next larger one it has.
Result<Tensor> Widen(const Tensor& tensor) {
  if (Descriptions().contains(tensor.dtype())) return tensor;
  if (tensor.dtype() == DType::kI4 || tensor.dtype() == DType::kI2)
    return Tensor::View(DType::kI8, tensor.dims(), tensor.raw(), tensor.owner());
  if (tensor.dtype() == DType::kU4 || tensor.dtype() == DType::kU2)
    return Tensor::View(DType::kU8, tensor.dims(), tensor.raw(), tensor.owner());
  ATH_TRY(const std::vector<double> values, ToDoubles(tensor));
  ATH_TRY(Tensor wide, Tensor::Allocate(DType::kF32, tensor.dims()));
  std::transform(values.begin(), values.end(), wide.MutableData<float>().begin(),
                 [](double value) { return static_cast<float>(value); });
  return wide;
}

std::string ShapeText(const Dims& dims) {
  std::string text = "(";
  for (const std::int64_t dim : dims) text += std::to_string(dim) + (dims.size() == 1 ? "," : ", ");
  if (dims.size() > 1) text.erase(text.size() - 2);
  return text + ")";
}

std::vector<std::uint8_t> Start(std::string_view descr, const Dims& dims) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
                                   descr, ShapeText(dims));
  // The data start at a multiple of 64; the header ends with a line feed.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::vector<std::uint8_t> bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  bytes.push_back(static_cast<std::uint8_t>(header.size() & 0xFF));
  bytes.push_back(static_cast<std::uint8_t>(header.size() >> 8));
  bytes.insert(bytes.end(), header.begin(), header.end());
  return bytes;
}

// UTF-8 to code points; a byte that starts nothing valid stands for itself.
std::vector<std::uint32_t> CodePoints(std::string_view text) {
  std::vector<std::uint32_t> codes;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    const std::size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    std::uint32_t code = more == 0 ? lead : lead & (0x3FU >> more);
    bool valid = i + more < text.size();
    for (std::size_t k = 1; valid && k <= more; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + k]);
      valid = (next & 0xC0) == 0x80;
      code = (code << 6) | (next & 0x3FU);
    }
    codes.push_back(valid ? code : lead);
    i += valid ? more + 1 : 1;
  }
  return codes;
}

std::vector<std::uint8_t> FormatStrings(const Tensor& tensor) {
  std::vector<std::vector<std::uint32_t>> texts;
  std::size_t longest = 1;
  for (const std::string& text : tensor.Data<std::string>()) {
    texts.push_back(CodePoints(text));
    longest = std::max(longest, texts.back().size());
  }
  std::vector<std::uint8_t> bytes = Start(fmt::format("<U{}", longest), tensor.dims());
  for (std::vector<std::uint32_t>& text : texts) {
    text.resize(longest, 0);
    const auto* from = reinterpret_cast<const std::uint8_t*>(text.data());
    bytes.insert(bytes.end(), from, from + 4 * longest);
  }
  return bytes;
}

}  // namespace

Result<std::vector<std::uint8_t>> FormatNpy(const Tensor& tensor) {
  if (tensor.dtype() == DType::kString) return FormatStrings(tensor);
  ATH_TRY(const Tensor wide, Widen(tensor));
  std::vector<std::uint8_t> bytes = Start(Descriptions().at(wide.dtype()), wide.dims());
  const auto* from = static_cast<const std::uint8_t*>(wide.raw());
  bytes.insert(bytes.end(), from, from + wide.bytes());
  return bytes;
}

Status WriteNpy(const std::string& path, const Tensor& tensor) {
  ATH_TRY(const std::vector<std::uint8_t> bytes, FormatNpy(tensor));
  return WriteFileAtomically(path, bytes);
}

}  // namespace athanor::io
