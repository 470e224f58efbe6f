#include "tools/difference_advice.h"

#include <algorithm>
#include <cmath>

#include "tools/console.h"
#include "verify/bisect.h"

namespace athanor::tools {
namespace {

// Of the outputs that differ.
struct Worst {
  double rel_l2 = 0, max_abs = 0;
  bool comparable = true;
};

Worst WorstOf(const std::vector<OutputDifference>& outputs) {
  Worst worst;
  for (const auto& [name, difference] : outputs) {
    if (difference.pass) continue;
    worst.rel_l2 = std::max(worst.rel_l2, difference.rel_l2);
    worst.max_abs = std::max(worst.max_abs, difference.max_abs);
    worst.comparable =
        worst.comparable && difference.same_kind && std::isfinite(difference.max_abs);
  }
  worst.comparable = worst.comparable && worst.max_abs > 0;
  return worst;
}

// Up to one digit: 2.28e-4 gives 3e-4.
double RoundedUp(double value) {
  const double unit = std::pow(10, std::floor(std::log10(value)));
  return std::ceil(value / unit) * unit;
}

}  // namespace

std::string DifferenceAdvice(const Common& common, const std::string& bisect,
                             const std::vector<OutputDifference>& outputs,
                             const Tolerance& tolerance) {
  const BisectOptions usual;
  const Worst worst = WorstOf(outputs);
  std::string command = "athanor " + bisect + RepeatedOptions(common, bisect);
  if (!worst.comparable) return command + " finds the first node that differs";
  // bisect judges values as a whole, here the elements count one by one.
  const bool as_a_whole_same = worst.rel_l2 <= usual.rel_l2;
  if (as_a_whole_same) command += fmt::format(" --tolerance {:.0e}", worst.rel_l2 / 2);
  if (tolerance.atol < usual.atol) command += fmt::format(" --atol {:g}", tolerance.atol);
  command += " finds the first node that differs";
  if (!as_a_whole_same) return command;
  return fmt::format(
      "as a whole the outputs differ by {:.1e} (rel L2), as rounding makes them: --atol {:.0e} "
      "allows it, or a larger --rtol; {}",
      worst.rel_l2, RoundedUp(worst.max_abs), command);
}

}  // namespace athanor::tools
