// Fuzz target: any bytes as a calibration table.
#include "quant/table.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto table = athanor::quant::ParseTable({reinterpret_cast<const char*>(data), size});
  return table.ok() && table->largest.empty() ? 1 : 0;
}
