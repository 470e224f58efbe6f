#include "io/npy.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>

#include "core/checked.h"
#include "core/file.h"

namespace athanor::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

struct Header {
  std::string descr;
  bool fortran = false;
  Dims dims;
  std::size_t data_offset = 0;
};

// Reads the small Python literal {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Result<Header> Parse() {
    Header header;
    bool has_descr = false, has_order = false, has_shape = false;
    if (!Take('{')) return Bad("'{' is missing");
    while (!Take('}')) {
      ATH_TRY(const std::string key, String());
      if (!Take(':')) return Bad("':' is missing");
      if (key == "descr") {
        has_descr = true;
        if (Peek() == '[') {
          return Error(ErrorCode::kInvalidInput,
                       "the array is structured (records with fields); plain arrays are read")
              .Fix("save each field on its own: np.save('x.npy', a['x'])");
        }
        ATH_TRY(header.descr, String());
      } else if (key == "fortran_order") {
        has_order = true;
        ATH_TRY(header.fortran, Bool());
      } else if (key == "shape") {
        has_shape = true;
        ATH_TRY(header.dims, Tuple());
      } else {
        return Bad("an unknown key");
      }
      if (!Take(',') && Peek() != '}') return Bad("',' is missing");
    }
    if (!has_descr || !has_order || !has_shape) return Bad("a key is missing");
    return header;
  }

 private:
  static Status Bad(std::string_view what) {
    return Error(ErrorCode::kCorruptFile, "the npy header is damaged: {}", what);
  }
  char Peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  Result<std::string> String() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return Bad("a string is expected");
    const std::size_t end = text_.find(quote, ++at_);
    if (end == std::string_view::npos) return Bad("a string has no end");
    std::string value(text_.substr(at_, end - at_));
    at_ = end + 1;
    return value;
  }
  Result<bool> Bool() {
    Peek();
    for (const auto& [word, value] : {std::pair{"True", true}, std::pair{"False", false}}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += std::strlen(word);
      return value;
    }
    return Bad("True or False is expected");
  }
  Result<Dims> Tuple() {
    Dims dims;
    if (!Take('(')) return Bad("a tuple is expected");
    while (!Take(')')) {
      Peek();
      std::int64_t dim = 0;
      const auto [end, error] =
          std::from_chars(text_.data() + at_, text_.data() + text_.size(), dim);
      if (error != std::errc() || dim < 0 || dims.size() >= 64) return Bad("the shape");
      at_ = static_cast<std::size_t>(end - text_.data());
      Take('L');  // Python 2 wrote long numbers so
      dims.push_back(dim);
      if (!Take(',') && Peek() != ')') return Bad("the shape");
    }
    return dims;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

Result<Header> ReadHeader(std::span<const std::uint8_t> bytes) {
  const auto truncated = [] { return Error(ErrorCode::kCorruptFile, "the file ends early"); };
  if (bytes.size() < 10 || std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return Error(ErrorCode::kCorruptFile, "not an npy file");
  const int version = bytes[6];
  if (version < 1 || version > 3)
    return Error(ErrorCode::kInvalidInput, "npy format {} is not read; 1, 2 and 3 are", version);
  std::size_t start = 10, length = bytes[8] | (bytes[9] << 8);
  if (version > 1) {
    if (bytes.size() < 12) return truncated();
    start = 12;
    length |= (std::size_t{bytes[10]} << 16) | (std::size_t{bytes[11]} << 24);
  }
  if (length > bytes.size() - start) return truncated();
  if (length > 1 << 20) return Error(ErrorCode::kCorruptFile, "an npy header of {} bytes", length);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + start, length);
  ATH_TRY(Header header, HeaderParser(text).Parse());
  header.data_offset = start + length;
  return header;
}

// How one element lies in the file.
struct Element {
  DType dtype = DType::kUndefined;
  std::size_t bytes = 0;
  std::size_t swap = 1;  // bytes are reversed in groups of this many
  char text = 0;         // 'S' or 'U' for strings
};

struct Known {
  std::string_view descr;
  DType dtype;
};
constexpr Known kKnown[] = {
    {"b1", DType::kBool}, {"i1", DType::kI8},    {"i2", DType::kI16}, {"i4", DType::kI32},
    {"i8", DType::kI64},  {"u1", DType::kU8},    {"u2", DType::kU16}, {"u4", DType::kU32},
    {"u8", DType::kU64},  {"f2", DType::kF16},   {"f4", DType::kF32}, {"f8", DType::kF64},
    {"c8", DType::kC64},  {"c16", DType::kC128},
};

Result<Element> ParseDescr(std::string_view descr) {
  const std::string whole(descr);
  bool big = false;
  if (!descr.empty() && std::string_view("<>|=").find(descr[0]) != std::string_view::npos) {
    big = descr[0] == '>';
    descr.remove_prefix(1);
  }
  if (descr.starts_with('O')) {
    return Error(
               ErrorCode::kUnsafeFile,
               "the array holds pickled Python objects, which can run code; plain arrays are read")
        .Fix("convert before saving: np.save('x.npy', np.asarray(a, dtype=np.float32))");
  }
  for (const Known& known : kKnown) {
    if (known.descr != descr) continue;
    Element element = {.dtype = known.dtype, .bytes = ElementBytes(known.dtype)};
    if (big) element.swap = IsComplex(known.dtype) ? element.bytes / 2 : element.bytes;
    return element;
  }
  if (descr.starts_with('S') || descr.starts_with('U')) {
    std::size_t length = 0;
    const auto [end, error] =
        std::from_chars(descr.data() + 1, descr.data() + descr.size(), length);
    if (error == std::errc() && end == descr.data() + descr.size() && length < (1U << 24)) {
      const bool wide = descr[0] == 'U';
      return Element{.dtype = DType::kString,
                     .bytes = wide ? 4 * length : length,
                     .swap = big && wide ? std::size_t{4} : std::size_t{1},
                     .text = descr[0]};
    }
  }
  return Error(
      ErrorCode::kInvalidInput,
      "element type '{}' is not read; bool, integers, floats, complex numbers and strings are",
      whole);
}

void AppendUtf8(std::uint32_t code, std::string& text) {
  if (code > 0x10FFFF) code = 0xFFFD;
  if (code < 0x80) {
    text += static_cast<char>(code);
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  constexpr int kLead[] = {0, 0xC0, 0xE0, 0xF0};
  text += static_cast<char>(kLead[more] | (code >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) text += static_cast<char>(0x80 | ((code >> (6 * i)) & 0x3F));
}

std::string ReadString(std::span<const std::uint8_t> bytes, const Element& element) {
  std::string text;
  if (element.text == 'S') {
    text.assign(bytes.begin(), bytes.end());
    text.erase(text.find_last_not_of('\0') + 1);
    return text;
  }
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    std::uint32_t code;
    std::memcpy(&code, bytes.data() + i, 4);
    if (element.swap == 4) code = __builtin_bswap32(code);
    if (code == 0) break;  // the rest is padding
    AppendUtf8(code, text);
  }
  return text;
}

void CopyElement(const std::uint8_t* from, const Element& element, std::uint8_t* to) {
  if (element.swap == 1) {
    std::memcpy(to, from, element.bytes);
    return;
  }
  for (std::size_t i = 0; i < element.bytes; i += element.swap)
    std::reverse_copy(from + i, from + i + element.swap, to + i);
}

// Calls f(row-major index, position in the file) for every element.
template <class F>
void ForEachElement(const Header& header, std::int64_t count, F f) {
  if (!header.fortran) {
    for (std::int64_t i = 0; i < count; ++i) f(i, i);
    return;
  }
  // The first index runs fastest in the file.
  const std::size_t rank = header.dims.size();
  std::vector<std::int64_t> index(rank, 0), stride(rank, 1);
  for (std::size_t d = rank; d-- > 1;) stride[d - 1] = stride[d] * header.dims[d];
  std::int64_t to = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    f(to, i);
    for (std::size_t d = 0; d < rank; ++d) {
      to += stride[d];
      if (++index[d] < header.dims[d]) break;
      to -= stride[d] * header.dims[d];
      index[d] = 0;
    }
  }
}

Result<Tensor> ReadElements(const Header& header, const Element& element, std::int64_t count,
                            std::span<const std::uint8_t> data) {
  ATH_TRY(Tensor tensor, Tensor::Allocate(element.dtype, header.dims));
  if (element.dtype == DType::kString) {
    const auto out = tensor.MutableData<std::string>();
    ForEachElement(header, count, [&](std::int64_t to, std::int64_t from) {
      out[static_cast<std::size_t>(to)] = ReadString(
          data.subspan(static_cast<std::size_t>(from) * element.bytes, element.bytes), element);
    });
    return tensor;
  }
  auto* out = static_cast<std::uint8_t*>(tensor.mutable_raw());
  if (!header.fortran && element.swap == 1) {
    if (!data.empty()) std::memcpy(out, data.data(), data.size());
  } else {
    ForEachElement(header, count, [&](std::int64_t to, std::int64_t from) {
      CopyElement(data.data() + static_cast<std::size_t>(from) * element.bytes, element,
                  out + static_cast<std::size_t>(to) * element.bytes);
    });
  }
  if (element.dtype == DType::kBool) {  // any other byte than 0 and 1 would be no bool
    for (std::size_t i = 0; i < tensor.bytes(); ++i) out[i] = out[i] != 0;
  }
  return tensor;
}

// How many elements there are, where they are no more than are wanted.
Result<std::int64_t> CountOf(const Header& header, const Element& element,
                             const NpyOptions& options) {
  const std::optional<std::int64_t> count = CheckedCount(header.dims);
  const std::optional<std::size_t> size =
      count ? CheckedMul(static_cast<std::size_t>(*count), std::max<std::size_t>(1, element.bytes))
            : std::nullopt;
  const std::size_t memory = ElementBytes(element.dtype);
  if (!size || *size > options.max_bytes ||
      static_cast<std::size_t>(*count) > options.max_bytes / memory) {
    return Error(ErrorCode::kResource, "an array of shape {} is larger than the limit of {} bytes",
                 ToString(header.dims), options.max_bytes);
  }
  return *count;
}

Result<std::span<const std::uint8_t>> DataOf(std::span<const std::uint8_t> bytes,
                                             const Header& header, const Element& element,
                                             std::int64_t count) {
  const auto data = bytes.subspan(header.data_offset);
  const std::size_t expected = static_cast<std::size_t>(count) * element.bytes;
  if (data.size() < expected) {
    return Error(ErrorCode::kCorruptFile, "the file ends early: {} bytes of data, {} are expected",
                 data.size(), expected);
  }
  // Empty strings take no bytes in the file but memory here: the file's size bounds nothing.
  if (element.bytes == 0 && count > 1 << 20)
    return Error(ErrorCode::kUnsafeFile, "{} strings of length 0", count);
  return data.first(expected);
}

}  // namespace

Result<Tensor> ParseNpy(std::span<const std::uint8_t> bytes, const NpyOptions& options) {
  ATH_TRY(const Header header, ReadHeader(bytes));
  ATH_TRY(const Element element, ParseDescr(header.descr));
  ATH_TRY(const std::int64_t count, CountOf(header, element, options));
  ATH_TRY(const auto data, DataOf(bytes, header, element, count));
  return ReadElements(header, element, count, data);
}

struct NpyMatrix::Layout {
  Header header;
  Element element;
  std::span<const std::uint8_t> data;
};

DType NpyMatrix::dtype() const { return layout_->element.dtype; }

Result<NpyMatrix> NpyMatrix::Open(const std::string& path) {
  NpyMatrix matrix;
  ATH_TRY(matrix.file_, MappedFile::Open(path));
  const std::span<const std::uint8_t> bytes = matrix.file_->bytes();
  Layout layout;
  ATH_TRY(layout.header, ReadHeader(bytes));
  ATH_TRY(layout.element, ParseDescr(layout.header.descr));
  const Dims& dims = layout.header.dims;
  if (dims.empty() || dims.size() > 2 || (dims.size() == 2 && dims[1] == 0))
    return Error(ErrorCode::kInvalidInput,
                 "an array of shape {}; a matrix [rows, columns] is expected", ToString(dims));
  // It stays in the file: only the file's size bounds it.
  ATH_TRY(const std::int64_t count,
          CountOf(layout.header, layout.element,
                  {.max_bytes = std::numeric_limits<std::size_t>::max()}));
  ATH_TRY(layout.data, DataOf(bytes, layout.header, layout.element, count));
  constexpr std::int64_t kMostOfNone = 1 << 20;
  if (dims[0] == 0 && dims.size() == 2 && dims[1] > kMostOfNone)  // readers name each column
    return Error(ErrorCode::kUnsafeFile, "an array without rows has {} columns", dims[1]);
  matrix.rows_ = dims[0];
  matrix.columns_ = dims.size() == 2 ? dims[1] : 1;
  matrix.layout_ = std::make_shared<const Layout>(std::move(layout));
  return matrix;
}

Result<Tensor> NpyMatrix::Rows(std::int64_t first, std::int64_t count) const {
  const Element& element = layout_->element;
  Header piece = {.descr = "", .fortran = false, .dims = {count, columns_}};
  const auto at = [&](std::int64_t index) {
    return layout_->data.data() + static_cast<std::size_t>(index) * element.bytes;
  };
  const auto cells = static_cast<std::size_t>(count * columns_);
  if (!layout_->header.fortran)
    return ReadElements(piece, element, count * columns_,
                        {at(first * columns_), cells * element.bytes});
  // The file has column behind column.
  piece.fortran = true;
  std::vector<std::uint8_t> bytes(cells * element.bytes);
  const std::size_t part = static_cast<std::size_t>(count) * element.bytes;
  for (std::int64_t column = 0; column < columns_ && part > 0; ++column)
    std::memcpy(bytes.data() + static_cast<std::size_t>(column) * part, at(column * rows_ + first),
                part);
  return ReadElements(piece, element, count * columns_, bytes);
}

Result<Tensor> ReadNpy(const std::string& path, const NpyOptions& options) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  Result<Tensor> tensor = ParseNpy(file->bytes(), options);
  if (!tensor.ok()) return std::move(tensor).status().In(path);
  return tensor;
}

}  // namespace athanor::io
