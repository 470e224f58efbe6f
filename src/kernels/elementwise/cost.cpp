#include "kernels/elementwise/cost.h"

#include "kernels/epilogue.h"

namespace athanor::kernels {

double ElementwiseNs(const KernelQuery& q, double flops) {
  for (const EpilogueStep& step : q.epilogue) flops += EpilogueFlops(step);
  double bytes = static_cast<double>(q.out[0].bytes());
  for (const PortInfo& in : q.in) bytes += static_cast<double>(in.bytes());
  return RooflineNs(q.isa, static_cast<double>(q.out[0].stored()) * flops, bytes);
}

}  // namespace athanor::kernels
