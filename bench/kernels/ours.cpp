#include <algorithm>
#include <cstring>

#include "contestant.h"
#include "kernels/layout.h"
#include "plan/trial.h"

namespace athanor::bench {
namespace {

using kernels::KernelQuery;
using kernels::PortInfo;

constexpr double kHopeless = 2;

Tensor SeededBytes(const Dims& dims, std::uint64_t seed) {
  Tensor tensor = *Tensor::Allocate(DType::kU8, dims);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (std::uint8_t& x : tensor.MutableData<std::uint8_t>()) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    x = static_cast<std::uint8_t>(state >> 56);
  }
  return tensor;
}

Tensor Seeded(const Dims& dims, std::uint64_t seed) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, dims);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (float& x : tensor.MutableData<float>()) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    x = static_cast<float>(state >> 40) / static_cast<float>(1 << 23) - 1.0F;
  }
  return tensor;
}

// Moves the channels of a row-major tensor into blocks.
Result<Tensor> InBlocks(const Tensor& plain, const PortInfo& port) {
  ATH_TRY(Tensor blocked, Tensor::Allocate(port.dtype, {port.stored()}));
  std::memset(blocked.mutable_raw(), 0, blocked.bytes());
  kernels::ToBlocks(static_cast<const std::byte*>(plain.raw()), ElementBytes(port.dtype), port.dims,
                    port.block, static_cast<std::byte*>(blocked.mutable_raw()));
  return blocked;
}

class OurKernel : public Contestant {
 public:
  static Result<std::unique_ptr<Contestant>> Make(const kernels::KernelDef& def,
                                                  const KernelQuery& query,
                                                  std::vector<Tensor> operands, ThreadPool& pool) {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      if (query.in[i].block == 0) continue;
      ATH_TRY(operands[i], InBlocks(operands[i], query.in[i]));
    }
    auto made = std::make_unique<OurKernel>(def.name, query.out[0], pool);
    ATH_TRY(made->trial_, plan::Trial::Make(def, query, made->store_, operands));
    if (!made->trial_) return Unsupported("there is no memory for it");
    return std::unique_ptr<Contestant>(std::move(made));
  }
  OurKernel(std::string name, PortInfo out, ThreadPool& pool)
      : Contestant(std::move(name)), out_(std::move(out)), pool_(pool) {}

  void Run() override { trial_->Run(pool_); }
  std::vector<float> Output() override {
    if (out_.dtype == DType::kF32) return Plain<float>();
    const std::vector<std::uint8_t> bytes = Plain<std::uint8_t>();
    return {bytes.begin(), bytes.end()};
  }

 private:
  template <class T>
  std::vector<T> Plain() const {
    const auto* data = static_cast<const std::byte*>(trial_->output().raw());
    std::vector<T> plain(static_cast<std::size_t>(out_.count()));
    auto* const to = reinterpret_cast<std::byte*>(plain.data());
    if (out_.block != 0) {
      kernels::FromBlocks(data, sizeof(T), out_.dims, out_.block, to);
    } else {
      std::memcpy(to, data, plain.size() * sizeof(T));
    }
    return plain;
  }

  PortInfo out_;
  ThreadPool& pool_;
  kernels::PackStore store_;
  std::optional<plan::Trial> trial_;
};

}  // namespace

Result<std::vector<Tensor>> Operands(const KernelQuery& query) {
  std::vector<Tensor> operands;
  for (const PortInfo& port : query.in) {
    if (port.constant != nullptr) {
      operands.push_back(*port.constant);
    } else if (!port.given()) {
      operands.emplace_back();
    } else if (port.dtype == DType::kU8) {
      operands.push_back(SeededBytes(port.dims, operands.size() + 1));
    } else if (port.dtype != DType::kF32) {
      return Unsupported("an operand that is neither of floats nor of unsigned bytes");
    } else {
      operands.push_back(Seeded(port.dims, operands.size() + 1));
    }
  }
  return operands;
}

Result<std::vector<std::unique_ptr<Contestant>>> OurKernels(const Layer& layer,
                                                            const std::vector<Tensor>& operands,
                                                            ThreadPool& pool) {
  std::vector<std::pair<const kernels::Candidate*, const KernelQuery*>> fitting;
  for (const plan::Variant& variant : layer.variants) {
    for (const kernels::Candidate& candidate : variant.candidates) {
      // The others are there for machines that have no more.
      if (candidate.fit.yes() && candidate.def->isa == BestIsa())
        fitting.emplace_back(&candidate, &variant.query);
    }
  }
  std::sort(fitting.begin(), fitting.end(),
            [](const auto& a, const auto& b) { return a.first->time_ns() < b.first->time_ns(); });
  std::vector<std::unique_ptr<Contestant>> made;
  for (const auto& [candidate, query] : fitting) {
    // On bytes, most do without the instructions that the first ones are made of.
    const bool hopeless = candidate->time_ns() > kHopeless * fitting.front().first->time_ns();
    if (query->quant != nullptr && hopeless) break;
    ATH_TRY(auto kernel, OurKernel::Make(*candidate->def, *query, operands, pool));
    made.push_back(std::move(kernel));
  }
  if (made.empty()) return Unsupported("no kernel of ours fits");
  return made;
}

}  // namespace athanor::bench
