#include <atomic>
#include <cstring>

#include "contestant.h"

namespace athanor::bench {
namespace {

using kernels::KernelQuery;
using kernels::PortInfo;

Tensor Seeded(const Dims& dims, std::uint64_t seed) {
  Tensor tensor = *Tensor::Allocate(DType::kF32, dims);
  std::uint64_t state = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (float& x : tensor.MutableData<float>()) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    x = static_cast<float>(state >> 40) / static_cast<float>(1 << 23) - 1.0F;
  }
  return tensor;
}

class OurKernel : public Contestant {
 public:
  static Result<std::unique_ptr<Contestant>> Make(const kernels::KernelDef& def, KernelQuery query,
                                                  const std::vector<Tensor>& operands,
                                                  ThreadPool& pool) {
    auto made = std::make_unique<OurKernel>(def, pool);
    ATH_TRY(made->prepared_, def.prepare(query.To(def), made->store_));
    ATH_TRY(made->scratch_, Tensor::Allocate(DType::kU8, {made->prepared_.scratch_bytes}));
    std::memset(made->scratch_.mutable_raw(), 0, made->scratch_.bytes());
    made->operands_ = operands;
    for (const Tensor& operand : operands)
      made->in_.push_back(operand.defined() ? operand.raw() : nullptr);
    for (const PortInfo& port : query.out) {
      ATH_TRY(Tensor out, Tensor::Allocate(port.dtype, port.dims));
      made->out_.push_back(out.mutable_raw());
      made->outputs_.push_back(std::move(out));
    }
    return std::unique_ptr<Contestant>(std::move(made));
  }
  OurKernel(const kernels::KernelDef& def, ThreadPool& pool)
      : Contestant(def.name), def_(def), pool_(pool) {}

  void Run() override {
    def_.run({.in = in_,
              .out = out_,
              .state = prepared_.state.get(),
              .scratch = static_cast<std::byte*>(scratch_.mutable_raw()),
              .pool = &pool_,
              .data_error = &data_error_});
  }
  std::vector<float> Output() override {
    const auto data = outputs_[0].Data<float>();
    return {data.begin(), data.end()};
  }

 private:
  const kernels::KernelDef& def_;
  ThreadPool& pool_;
  kernels::PackStore store_;
  kernels::Prepared prepared_;
  Tensor scratch_;
  std::vector<Tensor> operands_, outputs_;
  std::vector<const void*> in_;
  std::vector<void*> out_;
  std::atomic<const char*> data_error_ = nullptr;
};

}  // namespace

Result<std::vector<Tensor>> Operands(const KernelQuery& query) {
  std::vector<Tensor> operands;
  for (const PortInfo& port : query.in) {
    if (port.constant != nullptr) {
      operands.push_back(*port.constant);
    } else if (!port.given()) {
      operands.emplace_back();
    } else if (port.dtype != DType::kF32) {
      return Unsupported("an operand that is not of floats");
    } else {
      operands.push_back(Seeded(port.dims, operands.size() + 1));
    }
  }
  return operands;
}

Result<std::vector<std::unique_ptr<Contestant>>> OurKernels(const Layer& layer,
                                                            const std::vector<Tensor>& operands,
                                                            ThreadPool& pool) {
  std::vector<std::unique_ptr<Contestant>> made;
  for (const kernels::Candidate& candidate : layer.group.candidates) {
    // The others are there for machines that have no more.
    if (!candidate.fit.yes() || (!made.empty() && candidate.def->isa != BestIsa())) continue;
    ATH_TRY(auto kernel, OurKernel::Make(*candidate.def, layer.group.query, operands, pool));
    made.push_back(std::move(kernel));
  }
  if (made.empty()) return Unsupported("no kernel of ours fits");
  return made;
}

}  // namespace athanor::bench
