#include "tools/energy.h"

#include <fmt/core.h>

#include <fstream>

namespace athanor::tools {

std::optional<double> PackageEnergy() {
  double joules = 0;
  bool found = false;
  for (int package = 0; package < 64; ++package) {
    std::ifstream file(fmt::format("/sys/class/powercap/intel-rapl:{}/energy_uj", package));
    double micro = 0;
    if (!(file >> micro)) break;
    joules += micro * 1e-6;
    found = true;
  }
  if (!found) return std::nullopt;
  return joules;
}

}  // namespace athanor::tools
