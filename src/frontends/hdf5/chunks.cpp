// Data sets in chunks: a B-tree of places, each chunk packed by filters.
#include <zlib.h>

#include <algorithm>

#include "core/checked.h"
#include "frontends/hdf5/reader.h"

namespace athanor::hdf5 {
namespace {

constexpr int kMaxTreeDepth = 16;
constexpr std::uint64_t kMaxRatio = 1032;  // more than deflate can pack

struct Filter {
  enum Id : std::uint16_t { kDeflate = 1, kShuffle = 2, kFletcher32 = 3 };
  std::uint16_t id = 0;
  std::uint64_t size = 0;  // of an element, for kShuffle
};

Result<std::vector<Filter>> ReadFilters(Bytes message) {
  std::vector<Filter> filters;
  if (message.empty()) return filters;
  Reader reader(message, 0);
  const std::uint8_t version = reader.Byte(), count = reader.Byte();
  reader.Skip(version == 1 ? 6 : 0);
  for (std::size_t i = 0; i < count && !reader.failed(); ++i) {
    Filter filter = {.id = static_cast<std::uint16_t>(reader.Number(2))};
    const bool has_name = version == 1 || filter.id >= 256;
    const std::uint64_t name = has_name ? reader.Number(2) : 0;
    reader.Skip(2);
    const std::uint64_t values = reader.Number(2);
    reader.Skip(version == 1 ? (name + 7) / 8 * 8 : name);
    for (std::uint64_t v = 0; v < values && !reader.failed(); ++v) {
      const std::uint64_t value = reader.Number(4);
      if (v == 0) filter.size = value;
    }
    reader.Skip(version == 1 && values % 2 == 1 ? 4 : 0);
    if (filter.id < Filter::kDeflate || filter.id > Filter::kFletcher32)
      return Unsupported("arrays packed by filter {} are not read; deflate and shuffle are",
                         filter.id);
    filters.push_back(filter);
  }
  if (reader.failed()) return Damaged("the filters of an array");
  return filters;
}

Result<std::vector<std::uint8_t>> Inflate(Bytes packed, std::uint64_t size) {
  if (size / kMaxRatio > packed.size()) return Damaged("a chunk cannot hold its elements");
  std::vector<std::uint8_t> out(size);
  uLongf length = static_cast<uLongf>(size);
  if (uncompress(out.data(), &length, packed.data(), static_cast<uLong>(packed.size())) != Z_OK)
    return Damaged("a chunk does not unpack");
  out.resize(length);
  return out;
}

// First bytes of all elements, then second bytes, and so on: back to elements.
std::vector<std::uint8_t> Unshuffle(const std::vector<std::uint8_t>& bytes, std::uint64_t size) {
  if (size < 2) return bytes;
  const std::uint64_t count = bytes.size() / size;
  std::vector<std::uint8_t> out = bytes;  // what is left over stays at the end
  for (std::uint64_t i = 0; i < count; ++i) {
    for (std::uint64_t b = 0; b < size; ++b) out[i * size + b] = bytes[b * count + i];
  }
  return out;
}

class ChunkReader {
 public:
  ChunkReader(Bytes file, const Dims& dims, std::uint64_t width, Dims chunk,
              std::vector<Filter> filters)
      : file_(file),
        dims_(dims),
        width_(width),
        chunk_(std::move(chunk)),
        filters_(std::move(filters)) {}

  Result<std::vector<std::uint8_t>> Run(std::uint64_t tree, std::uint64_t bytes,
                                        std::uint64_t chunk_bytes) {
    chunk_bytes_ = chunk_bytes;
    nodes_left_ = file_.size() / 24 + 1;
    // An array takes no more than its chunks can unpack to.
    if (bytes / kMaxRatio > file_.size() + chunk_bytes)
      return Damaged("an array is larger than its chunks");
    out_.assign(bytes, 0);
    if (tree != kUndefined) ATH_RETURN_IF_ERROR(ReadNode(tree, kMaxTreeDepth));
    return std::move(out_);
  }

 private:
  Status ReadNode(std::uint64_t address, int depth) {
    if (depth == 0 || nodes_left_-- == 0) return Damaged("its tree of chunks is a ring");
    Reader reader(file_, address);
    if (!reader.Expect("TREE") || reader.Byte() != 1) return Damaged("there is no tree of chunks");
    const std::uint8_t level = reader.Byte();
    const std::uint64_t count = reader.Number(2);
    reader.Skip(16);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t size = reader.Number(4), mask = reader.Number(4);
      Dims start;
      for (std::size_t axis = 0; axis < dims_.size(); ++axis)
        start.push_back(static_cast<std::int64_t>(reader.Number(8)));
      reader.Skip(8);  // the place within an element
      const std::uint64_t child = reader.Address();
      if (reader.failed()) return Damaged("a tree of chunks reaches beyond the end");
      ATH_RETURN_IF_ERROR(level > 0 ? ReadNode(child, depth - 1)
                                    : ReadChunk(child, size, mask, start));
    }
    return {};
  }

  Status ReadChunk(std::uint64_t address, std::uint64_t size, std::uint64_t mask,
                   const Dims& start) {
    if (nodes_left_-- == 0) return Damaged("it has more chunks than bytes");
    for (std::size_t axis = 0; axis < dims_.size(); ++axis) {
      if (start[axis] < 0 || start[axis] >= dims_[axis] || start[axis] % chunk_[axis] != 0)
        return Damaged("a chunk lies outside of its array");
    }
    Reader reader(file_, address);
    const Bytes packed = reader.Take(size);
    if (reader.failed()) return Damaged("a chunk reaches beyond the end");
    std::vector<std::uint8_t> bytes(packed.begin(), packed.end());
    for (std::size_t i = filters_.size(); i-- > 0;) {
      if (((mask >> i) & 1U) != 0) continue;
      if (filters_[i].id == Filter::kDeflate) {
        ATH_TRY(bytes, Inflate(bytes, chunk_bytes_));
      } else if (filters_[i].id == Filter::kShuffle) {
        bytes = Unshuffle(bytes, filters_[i].size);
      } else {  // a checksum behind the data
        if (bytes.size() < 4) return Damaged("a chunk has no checksum");
        bytes.resize(bytes.size() - 4);
      }
    }
    if (bytes.size() != chunk_bytes_)
      return Damaged("a chunk has another size than its array says");
    Copy(bytes, start);
    return {};
  }

  // Rows of the chunk that lie inside of the array.
  void Copy(const std::vector<std::uint8_t>& bytes, const Dims& start) {
    const std::size_t last = dims_.size() - 1;
    const auto row = static_cast<std::uint64_t>(std::min(chunk_[last], dims_[last] - start[last]));
    Dims index(dims_.size(), 0);
    for (std::uint64_t from = 0; from < bytes.size();
         from += static_cast<std::uint64_t>(chunk_[last]) * width_) {
      std::uint64_t to = 0;
      bool inside = true;
      for (std::size_t axis = 0; axis < dims_.size(); ++axis) {
        const std::int64_t at = start[axis] + index[axis];
        inside = inside && at < dims_[axis];
        to = to * static_cast<std::uint64_t>(dims_[axis]) + static_cast<std::uint64_t>(at);
      }
      if (inside) std::memcpy(out_.data() + to * width_, bytes.data() + from, row * width_);
      for (std::size_t axis = last; axis-- > 0;) {
        if (++index[axis] < chunk_[axis]) break;
        index[axis] = 0;
      }
    }
  }

  Bytes file_;
  const Dims& dims_;
  std::uint64_t width_;
  Dims chunk_;
  std::vector<Filter> filters_;
  std::uint64_t chunk_bytes_ = 0, nodes_left_ = 0;
  std::vector<std::uint8_t> out_;
};

}  // namespace

Result<std::vector<std::uint8_t>> ReadChunks(Bytes file, const Dims& dims, std::uint64_t width,
                                             Bytes layout, Bytes filter_message) {
  ATH_TRY(std::vector<Filter> filters, ReadFilters(filter_message));
  Reader reader(layout, 0);
  const std::uint8_t version = reader.Byte();
  reader.Skip(1);  // the class
  const std::uint8_t rank = reader.Byte();
  const std::uint64_t tree = reader.Address();
  if (version != 3) return Unsupported("chunks of layout version {} are not read; 3 is", version);
  if (dims.empty() || rank != dims.size() + 1) return Damaged("the chunks of an array");
  Dims chunk;
  for (std::size_t axis = 0; axis < dims.size(); ++axis)
    chunk.push_back(static_cast<std::int64_t>(reader.Number(4)));
  const auto elements = CheckedCount(chunk), total = CheckedCount(dims);
  const auto chunk_bytes =
      elements ? CheckedMul<std::uint64_t>(static_cast<std::uint64_t>(*elements), width)
               : std::nullopt;
  const auto bytes =
      total ? CheckedMul<std::uint64_t>(static_cast<std::uint64_t>(*total), width) : std::nullopt;
  if (reader.failed() || !chunk_bytes || !bytes || *chunk_bytes == 0)
    return Damaged("the chunks of an array");
  return ChunkReader(file, dims, width, std::move(chunk), std::move(filters))
      .Run(tree, *bytes, *chunk_bytes);
}

}  // namespace athanor::hdf5
