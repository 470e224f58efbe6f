#include "frontends/tensorflow/bundle.h"

#include "core/text.h"
#include "frontends/tensorflow/sorted_table.h"
#include "frontends/tensorflow/tensor.h"

namespace athanor::tensorflow {
namespace {

constexpr std::int32_t kMaxShards = 10'000;

Bytes BytesOf(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

Result<Bundle> Bundle::Open(const std::string& prefix) {
  Bundle bundle;
  ATH_TRY(const std::shared_ptr<const MappedFile> index, MappedFile::Open(prefix + ".index"));
  ATH_TRY(bundle.entries_, ReadSortedTable(index->bytes()));
  ATH_TRY(const BundleHeader header,
          protobuf::Parse<BundleHeader>(BytesOf(bundle.entries_[""]), "header of the variables"));
  if (header.endianness != 0) return Unsupported("big-endian variables are not read");
  if (header.num_shards < 1 || header.num_shards > kMaxShards)
    return InvalidModel("{} shards of variables", header.num_shards);
  for (std::int32_t shard = 0; shard < header.num_shards; ++shard) {
    ATH_TRY(std::shared_ptr<const MappedFile> file,
            MappedFile::Open(
                fmt::format("{}.data-{:05d}-of-{:05d}", prefix, shard, header.num_shards)));
    bundle.shards_.push_back(std::move(file));
  }
  return bundle;
}

Result<Tensor> Bundle::Find(const std::string& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end() || key.empty())
    return InvalidModel("the variables have no tensor {}", Quote(key));
  ATH_TRY(const BundleEntry entry,
          protobuf::Parse<BundleEntry>(BytesOf(found->second), "entry of a variable"));
  if (!entry.slices.empty())
    return Unsupported("{} is kept in {} parts; whole variables are read", Quote(key),
                       entry.slices.size());
  if (entry.shard < 0 || static_cast<std::size_t>(entry.shard) >= shards_.size())
    return InvalidModel("{} lies in shard {}, of which there are {}", Quote(key), entry.shard,
                        shards_.size());
  const std::shared_ptr<const MappedFile>& file = shards_[static_cast<std::size_t>(entry.shard)];
  const std::uint64_t size = file->bytes().size();
  const auto offset = static_cast<std::uint64_t>(entry.offset);
  const auto count = static_cast<std::uint64_t>(entry.size);
  if (offset > size || count > size - offset)
    return Error(ErrorCode::kCorruptFile, "{} reaches beyond the end of its shard", Quote(key));
  ATH_TRY(const DType dtype, DTypeOf(entry.dtype));
  if (dtype == DType::kString) return Unsupported("variables of strings are not read");
  Dims dims;
  for (const DimProto& dim : entry.shape.dim) dims.push_back(dim.size);
  return ViewOrCopy(dtype, std::move(dims), file->bytes().subspan(offset, count), file);
}

}  // namespace athanor::tensorflow
