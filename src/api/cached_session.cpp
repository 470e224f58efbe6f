#include "api/cached_session.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/build_id.h"
#include "core/digest.h"
#include "frontends/ath/ath.h"
#include "kernels/kernel.h"
#include "runtime/cpu_session.h"

namespace athanor {
namespace {

namespace fs = std::filesystem;
using kernels::PackStore;

constexpr std::uint64_t kAlignment = 64;
constexpr char kMagic[8] = {'A', 'T', 'H', 'P', 'A', 'C', 'K', '1'};
constexpr std::string_view kExtension = ".athcache";

// A file is an .ath file, whose reader takes no notice of what follows: packed constants, each at a
// multiple of 64, their list, and this at the very end.
struct Footer {
  char magic[8] = {};
  std::uint64_t key = 0;
  std::uint64_t list_at = 0, list_size = 0, list_digest = 0;
  std::uint64_t unused[3] = {};
};
static_assert(sizeof(Footer) == kAlignment);

// Of one packed constant; its recipe follows. Places are counted from the begin of the file.
struct Item {
  std::uint64_t source = 0, at = 0, bytes = 0, recipe_size = 0;
};

std::span<const std::uint8_t> BytesOf(const void* data, std::uint64_t size) {
  return {static_cast<const std::uint8_t*>(data), size};
}

// All that decides which constants are packed and how. Recipes mean something within one build.
Result<std::uint64_t> KeyOf(std::uint64_t model, const SessionOptions& options) {
  const std::string build = BuildId();
  if (build.empty())
    return Unsupported("this build has no build ID to tell its files from those of others")
        .Fix("link with -Wl,--build-id, or open the model without a cache");
  const std::string text =
      fmt::format("{} {:016x} {} t{} {} {} {} {} {}", build, model,
                  Name(std::min(options.isa.value_or(Isa::kAvx512), BestIsa())), options.threads,
                  options.strict, Name(options.precision), Name(options.selector),
                  options.memory_budget, options.memory_price);
  return Digest64(BytesOf(text.data(), text.size()));
}

// The types of the inputs with one for each symbol; nothing where that does not give them all.
std::optional<std::vector<Type>> TypesAtOne(const Graph& graph) {
  std::vector<Type> types;
  for (const ValueId id : graph.inputs()) {
    Type type = graph.value(id).type;
    if (!type.IsTensor() || !type.HasRank()) return std::nullopt;
    for (Dim& dim : *type.shape) {
      if (!dim.IsConst()) dim = Dim(1);
    }
    types.push_back(std::move(type));
  }
  return types;
}

// The packed constants of the file, added to `packs`.
Status ReadPacks(const std::shared_ptr<const MappedFile>& file, std::uint64_t key,
                 PackStore& packs) {
  const auto bytes = file->bytes();
  const auto damaged = [] { return Error(ErrorCode::kCorruptFile, "the cache is damaged"); };
  if (bytes.size() < sizeof(Footer)) return damaged();
  Footer footer;
  const std::uint64_t end = bytes.size() - sizeof(Footer);
  std::memcpy(&footer, bytes.data() + end, sizeof(footer));
  const auto inside = [&](std::uint64_t at, std::uint64_t size) {
    return at <= end && size <= end - at;
  };
  if (std::memcmp(footer.magic, kMagic, sizeof(kMagic)) != 0 || footer.key != key ||
      !inside(footer.list_at, footer.list_size))
    return damaged();
  auto list = bytes.subspan(footer.list_at, footer.list_size);
  if (Digest64(list) != footer.list_digest) return damaged();
  while (!list.empty()) {
    Item item;
    if (list.size() < sizeof(item)) return damaged();
    std::memcpy(&item, list.data(), sizeof(item));
    list = list.subspan(sizeof(item));
    if (item.recipe_size > list.size() || !inside(item.at, item.bytes) ||
        item.at % kAlignment != 0 || !inside(item.source, 1))
      return damaged();
    packs.Put({.source = Tensor::View(DType::kU8, {1}, bytes.data() + item.source, file),
               .recipe = std::string(reinterpret_cast<const char*>(list.data()), item.recipe_size),
               .buffer = std::shared_ptr<const void>(file, bytes.data() + item.at),
               .bytes = static_cast<std::int64_t>(item.bytes)});
    list = list.subspan(item.recipe_size);
  }
  return {};
}

// A session on the graph of the file, which is at its last pass, and on `packs`.
Result<std::unique_ptr<Session>> SessionOf(const std::shared_ptr<const MappedFile>& file,
                                           const std::shared_ptr<PackStore>& packs,
                                           SessionOptions options) {
  ATH_TRY(Graph graph, ath::Read(file->bytes(), file));
  options.optimize = false;
  options.packs = packs;
  return Session::Create(std::move(graph), options);
}

Result<std::unique_ptr<Session>> Open(const std::string& path, std::uint64_t key,
                                      const SessionOptions& options) {
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  const auto packs = options.packs != nullptr ? options.packs : std::make_shared<PackStore>();
  ATH_RETURN_IF_ERROR(ReadPacks(file, key, *packs));
  return SessionOf(file, packs, options);
}

// Writes the packed constants whose sources lie in `file` behind it.
Status Append(const std::string& path, const MappedFile& file, const PackStore& packs,
              std::uint64_t key) {
  std::ofstream out(path, std::ios::binary | std::ios::app);
  std::uint64_t at = file.bytes().size();
  const auto write = [&](const void* data, std::uint64_t size) {
    out.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
    at += size;
  };
  const auto align = [&] {
    const char zeros[kAlignment] = {};
    write(zeros, (kAlignment - at % kAlignment) % kAlignment);
  };
  std::string list;
  for (const PackStore::Packed& packed : packs.All()) {
    const auto* const source = static_cast<const std::uint8_t*>(packed.source.raw());
    const std::uint8_t* const begin = file.bytes().data();
    if (source < begin || source >= begin + file.bytes().size()) continue;
    align();
    const Item item = {static_cast<std::uint64_t>(source - begin), at,
                       static_cast<std::uint64_t>(packed.bytes), packed.recipe.size()};
    list.append(reinterpret_cast<const char*>(&item), sizeof(item)).append(packed.recipe);
    write(packed.buffer.get(), item.bytes);
  }
  align();
  Footer footer = {.key = key,
                   .list_at = at,
                   .list_size = list.size(),
                   .list_digest = Digest64(BytesOf(list.data(), list.size()))};
  std::memcpy(footer.magic, kMagic, sizeof(kMagic));
  write(list.data(), list.size());
  write(&footer, sizeof(footer));
  out.close();
  if (!out) return Error(ErrorCode::kFileWrite, "{}: cannot be written", path);
  return {};
}

Status Make(const Graph& graph, const SessionCache& cache, const std::string& path,
            std::uint64_t key, SessionOptions options) {
  // Two files whose structures are equal must not take each other's place.
  if (cache.digested != nullptr) {
    ATH_RETURN_IF_ERROR(
        ath::Read(cache.digested->bytes(), cache.digested, {.check_weights = true}).status());
  }
  ATH_TRY(PartialFile partial, PartialFile::For(path));
  ATH_TRY(const Graph ready, GraphForPlans(graph, GraphOptionsOf(graph, options)));
  ATH_RETURN_IF_ERROR(ath::Save(ready, partial.name()));
  ATH_TRY(const std::shared_ptr<const MappedFile> file, MappedFile::Open(partial.name()));
  const auto packs = std::make_shared<PackStore>();
  ATH_TRY(const std::unique_ptr<Session> session, SessionOf(file, packs, std::move(options)));
  // A model that has no plan at these sizes may have one at others: then nothing is packed yet.
  const std::optional<std::vector<Type>> types = TypesAtOne(session->graph());
  if (types) static_cast<void>(session->PlanFor(*types).ok());
  ATH_RETURN_IF_ERROR(Append(partial.name(), *file, *packs, key));
  return partial.Commit();
}

// A node of a plug-in's operator; nullptr where there is none.
const Node* FindCustom(const Graph& graph) {
  for (std::size_t i = 0; i < graph.node_capacity(); ++i) {
    const Node& node = graph.node(static_cast<NodeId>(i));
    if (node.op == nullptr) continue;
    if (node.op->custom != nullptr) return &node;
    for (const auto& body : node.bodies) {
      if (const Node* inner = FindCustom(*body)) return inner;
    }
  }
  return nullptr;
}

// Makes room: removes the files that were not used for longest, but not `kept`.
void Prune(const SessionCache& cache, const fs::path& kept) {
  struct Found {
    fs::file_time_type used;
    fs::path path;
    std::int64_t bytes = 0;
  };
  std::vector<Found> all;
  std::int64_t total = 0;
  std::error_code gone;  // another process makes room as well
  for (const fs::directory_entry& entry : fs::directory_iterator(cache.folder, gone)) {
    if (entry.path().extension() != kExtension || !entry.is_regular_file(gone)) continue;
    Found found = {entry.last_write_time(gone), entry.path(),
                   static_cast<std::int64_t>(entry.file_size(gone))};
    if (gone) continue;
    total += found.bytes;
    if (found.path != kept) all.push_back(std::move(found));
  }
  std::sort(all.begin(), all.end(), [](const Found& a, const Found& b) { return a.used < b.used; });
  for (const Found& found : all) {
    if (total <= cache.most_bytes) break;
    if (fs::remove(found.path, gone)) total -= found.bytes;
  }
}

}  // namespace

Result<std::unique_ptr<Session>> OpenCached(const Graph& graph, const SessionCache& cache,
                                            const SessionOptions& options) {
  if (options.device != "cpu" && !options.device.starts_with("cpu."))
    return Unsupported("device {} keeps nothing in a cache; cpu does", options.device);
  if (const Node* custom = FindCustom(graph))
    return Unsupported("{} is of a plug-in, which no cache can tell from another of the same name",
                       custom->op->name)
        .Fix("open the model without a cache");
  std::uint64_t model = 0;
  if (cache.digested != nullptr) {
    model = ath::StoredDigest(cache.digested->bytes());
  } else {
    ATH_TRY(model, ath::Digest(graph));
  }
  ATH_TRY(const std::uint64_t key, KeyOf(model, options));
  std::error_code failed;
  fs::create_directories(cache.folder, failed);
  if (failed) return Error(ErrorCode::kFileWrite, "{}: {}", cache.folder, failed.message());
  const fs::path path = fs::path(cache.folder) / fmt::format("{:016x}{}", key, kExtension);
  Result<std::unique_ptr<Session>> opened = Open(path, key, options);
  if (!opened.ok()) {
    ATH_RETURN_IF_ERROR(Make(graph, cache, path, key, options));
    Prune(cache, path);
    opened = Open(path, key, options);
  }
  fs::last_write_time(path, fs::file_time_type::clock::now(), failed);  // for Prune, if allowed
  return opened;
}

}  // namespace athanor
