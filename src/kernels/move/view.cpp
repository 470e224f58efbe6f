#include "kernels/move/view.h"

namespace athanor::kernels {
namespace {

constexpr std::string_view kOperators[] = {"Flatten", "Identity", "Reshape", "Squeeze",
                                           "Unsqueeze"};

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != q.out[0].dtype || q.in[0].count() != q.out[0].count())
    return Fit::No("the elements change");
  return Fit::Yes();
}

}  // namespace

std::vector<KernelDef> ViewKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : kOperators) {
    defs.push_back(
        {.name = fmt::format("{}.view", op), .op = std::string(op), .view = true, .fits = Fits});
  }
  return defs;
}

}  // namespace athanor::kernels
