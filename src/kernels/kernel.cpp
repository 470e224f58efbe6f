#include "kernels/kernel.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>

#include "core/process_mutex.h"
#include "kernels/divide.h"

namespace athanor::kernels {
namespace {

// Reads the attribute or its default from the operator's description.
template <class T>
T Read(const KernelQuery& q, std::string_view name) {
  const AttrValue* value = q.attributes->Find(name);
  if (value == nullptr) {
    for (const AttrSpec& spec : q.op->attributes) {
      if (spec.name == name && spec.default_value) value = &*spec.default_value;
    }
  }
  const T* typed = value == nullptr ? nullptr : std::get_if<T>(value);
  return typed == nullptr ? T() : *typed;
}

}  // namespace

std::int64_t PortInfo::count() const {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) count *= dim;
  return count;
}

std::int64_t PortInfo::stored() const {
  if (block == 0) return count();
  return count() / dims[1] * (CeilDivide(dims[1], block) * block);
}

std::int64_t PortInfo::bytes() const {
  return given() ? stored() * static_cast<std::int64_t>(ElementBytes(dtype)) : 0;
}

std::int64_t KernelQuery::block() const {
  std::int64_t block = 0;
  for (const PortInfo& port : in) block = std::max(block, port.block);
  for (const PortInfo& port : out) block = std::max(block, port.block);
  return block;
}

KernelQuery KernelQuery::To(const KernelDef& kernel) const {
  KernelQuery query = *this;
  query.def = &kernel;
  query.isa = kernel.isa;
  return query;
}

float KernelQuery::Float(std::string_view name) const { return Read<float>(*this, name); }
std::int64_t KernelQuery::Int(std::string_view name) const {
  return Read<std::int64_t>(*this, name);
}

std::int64_t KernelQuery::Axis() const {
  const std::int64_t axis = Int("axis");
  return axis < 0 ? axis + in[0].rank() : axis;
}
std::string KernelQuery::Text(std::string_view name) const {
  return Read<std::string>(*this, name);
}
std::vector<std::int64_t> KernelQuery::Ints(std::string_view name) const {
  return Read<std::vector<std::int64_t>>(*this, name);
}

std::optional<std::vector<std::int64_t>> KernelQuery::ConstInts(std::size_t input) const {
  if (!Has(input) || in[input].constant == nullptr) return std::nullopt;
  Result<std::vector<std::int64_t>> values = ToInts(*in[input].constant);
  if (!values.ok()) return std::nullopt;
  return *std::move(values);
}

double RooflineNs(Isa isa, double flops, double bytes) {
  constexpr double kFlopsPerNs[] = {12, 60, 120};
  constexpr double kBytesPerNs = 20;
  return 200 + std::max(flops / kFlopsPerNs[static_cast<std::size_t>(isa)], bytes / kBytesPerNs);
}

struct PackStore::Shared {
  struct Entry {
    Packed packed;
    bool filled_here = true;
  };
  struct Contents {
    std::map<std::pair<const void*, std::string>, Entry> entries;
    std::int64_t bytes = 0;

    // Constants that planning folded from shapes end with their plan; every new shape makes others.
    void DropUnused() {
      std::erase_if(entries, [&](const auto& item) {
        const Packed& packed = item.second.packed;
        if (packed.source.owner().use_count() > 1 || packed.buffer.use_count() > 1) return false;
        if (item.second.filled_here) bytes -= packed.bytes;
        return true;
      });
    }
  };

  // A plan that is made while the process forks fills buffers under it.
  ProcessMutex mutex;

  // For who has locked the mutex.
  const Contents& Read() { return Whole(); }

  template <class F>
  void Change(const F& change) {
    Contents& contents = Whole();
    struct InPieces {
      std::atomic<bool>& flag;
      // Both ways ordered: no write of the change comes before or after it.
      explicit InPieces(std::atomic<bool>& f) : flag(f) { flag.exchange(true); }
      ~InPieces() { flag = false; }
    } const in_pieces(in_pieces_);
    change(contents);
  }

 private:
  // What a thread of the parent had half changed is left as it is, for ever: buffers that plans
  // hold stay theirs, others are packed anew.
  Contents& Whole() {
    if (process_ != getpid()) {
      if (in_pieces_) {
        auto fresh = std::make_unique<Contents>();
        static_cast<void>(contents_.release());
        contents_ = std::move(fresh);
        in_pieces_ = false;
      }
      process_ = getpid();
    }
    return *contents_;
  }

  pid_t process_ = getpid();
  std::atomic<bool> in_pieces_ = false;
  std::unique_ptr<Contents> contents_ = std::make_unique<Contents>();
};

PackStore::PackStore() : shared_(std::make_unique<Shared>()) {}
PackStore::~PackStore() = default;

Result<std::shared_ptr<const void>> PackStore::Get(const Tensor& source, std::string recipe,
                                                   std::int64_t bytes,
                                                   const std::function<void(void*)>& fill) {
  recipe += ToString(source.dims());  // constants of several shapes may share their memory
  const std::scoped_lock lock(shared_->mutex);
  const auto key = std::pair(source.raw(), recipe);
  const auto& entries = shared_->Read().entries;
  const auto found = entries.find(key);
  if (found != entries.end()) {
    const Shared::Entry& entry = found->second;
    if (entry.packed.bytes == bytes) return entry.packed.buffer;
    ATH_CHECK(!entry.filled_here, "a recipe says all that its buffer depends on");
  }
  shared_->Change([](Shared::Contents& contents) { contents.DropUnused(); });
  ATH_TRY(Tensor memory, Tensor::Allocate(DType::kU8, {bytes}));
  fill(memory.mutable_raw());
  const std::shared_ptr<const void> buffer(memory.owner(), memory.raw());
  shared_->Change([&](Shared::Contents& contents) {
    contents.entries[key] = {{source, std::move(recipe), buffer, bytes}};
    contents.bytes += bytes;
  });
  return buffer;
}

std::vector<PackStore::Packed> PackStore::All() const {
  const std::scoped_lock lock(shared_->mutex);
  std::vector<Packed> all;
  for (const auto& [key, entry] : shared_->Read().entries) all.push_back(entry.packed);
  return all;
}

void PackStore::Put(Packed packed) {
  const std::scoped_lock lock(shared_->mutex);
  const auto key = std::pair(packed.source.raw(), packed.recipe);
  shared_->Change([&](Shared::Contents& contents) {
    contents.entries.try_emplace(key, Shared::Entry{std::move(packed), false});
  });
}

std::int64_t PackStore::bytes() const {
  const std::scoped_lock lock(shared_->mutex);
  return shared_->Read().bytes;
}

}  // namespace athanor::kernels
