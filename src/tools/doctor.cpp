// athanor doctor: what this machine can do.
#include <fmt/core.h>
#include <png.h>
#include <webp/decode.h>
#include <zip.h>

#include <CLI/Version.hpp>

#include "core/text.h"
#include "tools/console.h"
#include "tools/machine_probe.h"
#include "tools/progress.h"

namespace athanor::tools {
namespace {

nlohmann::json Versions() {
  const int webp = WebPGetDecoderVersion();
  return {{"athanor", ATHANOR_VERSION},
          {"compiler", __VERSION__},
          {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100,
                              FMT_VERSION % 100)},
          {"cli11", CLI11_VERSION},
          {"nlohmann_json", fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR,
                                        NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
          {"libpng", PNG_LIBPNG_VER_STRING},
          {"libwebp", fmt::format("{}.{}.{}", webp >> 16, webp >> 8 & 255, webp & 255)},
          {"libzip", zip_libzip_version()}};
}

nlohmann::json CachesJson(const std::vector<Cache>& caches) {
  nlohmann::json list = nlohmann::json::array();
  for (const Cache& cache : caches) {
    list.push_back({{"level", cache.level},
                    {"kind", cache.kind},
                    {"bytes", cache.bytes},
                    {"shared_by", cache.shared_by}});
  }
  return list;
}

Status Run(const Common& common) {
  const Machine machine = DescribeMachine();
  Table table({"what", "value"});
  table.Add({"processor", machine.cpu});
  table.Add({"cores", std::to_string(machine.cores)});
  table.Add({"instruction sets", Join(machine.instruction_sets, " ")});
  for (const Cache& cache : machine.caches) {
    table.Add({fmt::format("cache level {} ({})", cache.level, cache.kind),
               fmt::format("{}, shared by {}", HumanBytes(static_cast<double>(cache.bytes)),
                           cache.shared_by)});
  }
  table.Add({"memory", HumanBytes(static_cast<double>(machine.memory_bytes))});
  table.Add({"memory free", HumanBytes(static_cast<double>(machine.free_memory_bytes))});
  Progress progress(common, "measuring", 0);
  const double bandwidth = MeasureReadBandwidth(machine.cores);
  const PeakRate one = MeasurePeakFma(1), all = MeasurePeakFma(machine.cores);
  progress.Finish();
  table.Add({"read bandwidth", fmt::format("{:.1f} GB/s", bandwidth / 1e9)});
  table.Add({"peak, one core",
             fmt::format("{:.1f} GFLOP/s f32 ({})", one.flops_per_s / 1e9, one.instruction_set)});
  table.Add({"peak, all cores",
             fmt::format("{:.1f} GFLOP/s f32 ({})", all.flops_per_s / 1e9, all.instruction_set)});
  nlohmann::json versions = Versions();
  for (const auto& [name, version] : versions.items())
    table.Add({name, version.get<std::string>()});
  PrintText(common, table.ToString());
  PrintJson(common, {{"cpu", machine.cpu},
                     {"cores", machine.cores},
                     {"instruction_sets", machine.instruction_sets},
                     {"caches", CachesJson(machine.caches)},
                     {"memory_bytes", machine.memory_bytes},
                     {"memory_free_bytes", machine.free_memory_bytes},
                     {"read_bandwidth_gb_per_s", bandwidth / 1e9},
                     {"peak_gflops_one_core", one.flops_per_s / 1e9},
                     {"peak_gflops", all.flops_per_s / 1e9},
                     {"peak_instruction_set", all.instruction_set},
                     {"versions", std::move(versions)}});
  Next(common, "athanor inspect model.onnx");
  return {};
}

}  // namespace

std::function<Status()> Doctor(Arguments, const Common& common) {
  return [&common] { return Run(common); };
}

}  // namespace athanor::tools
