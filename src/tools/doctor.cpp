// athanor doctor: what this machine can do.
#include <fmt/core.h>
#include <png.h>
#include <webp/decode.h>
#include <zip.h>

#include <CLI/Version.hpp>

#include "core/text.h"
#include "tools/console.h"
#include "tools/machine_json.h"
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

std::string Rate(const PeakRate& peak, std::string_view unit) {
  return fmt::format("{:.1f} {} ({})", peak.operations_per_s / 1e9, unit, peak.instruction_set);
}

std::string Threads(int threads) {
  return threads == 1 ? "one core" : fmt::format("{} cores", threads);
}

void AddPeaks(const MachinePeaks& peaks, Table& table) {
  const std::string on = Threads(peaks.threads);
  table.Add({"peak f32, " + on, Rate(peaks.f32, "GFLOP/s"), peaks.f32.how});
  if (peaks.int8) table.Add({"peak int8, " + on, Rate(*peaks.int8, "GOP/s"), peaks.int8->how});
  if (peaks.bf16) table.Add({"peak bf16, " + on, Rate(*peaks.bf16, "GFLOP/s"), peaks.bf16->how});
  for (const MemoryLevel& level : peaks.levels) {
    table.Add({fmt::format("read {}, {}", level.name, on),
               fmt::format("{:.1f} GB/s", level.bytes_per_s / 1e9), level.how});
  }
  if (peaks.threads == 1) return;
  table.Add({"fork-join, " + on,
             fmt::format("{:.2f} us, the least {:.2f}", peaks.fork_join.median_s * 1e6,
                         peaks.fork_join.least_s * 1e6),
             peaks.fork_join.how});
}

void AddVersions(const nlohmann::json& versions, Table& table) {
  for (const auto& [name, version] : versions.items())
    table.Add({name, version.get<std::string>(), ""});
}

void AddMachine(const Machine& machine, Table& table) {
  table.Add({"processor", machine.cpu, ""});
  table.Add({"cores", std::to_string(machine.cores), ""});
  table.Add({"instruction sets", Join(machine.instruction_sets, " "), ""});
  for (const Cache& cache : machine.caches) {
    table.Add({fmt::format("cache level {} ({})", cache.level, cache.kind),
               fmt::format("{}, shared by {}", HumanBytes(static_cast<double>(cache.bytes)),
                           cache.shared_by),
               ""});
  }
  table.Add({"memory", HumanBytes(static_cast<double>(machine.memory_bytes)), ""});
  table.Add({"memory free", HumanBytes(static_cast<double>(machine.free_memory_bytes)), ""});
}

Status Run(const Common& common) {
  const Machine machine = DescribeMachine();
  Table table({"what", "value", "how it was probed"});
  AddMachine(machine, table);
  Progress progress(common, "measuring", 0);
  const MachinePeaks one = MeasurePeaks(1), all = MeasurePeaks(machine.cores);
  progress.Finish();
  AddPeaks(one, table);
  if (machine.cores > 1) AddPeaks(all, table);
  nlohmann::json versions = Versions();
  AddVersions(versions, table);
  PrintText(common, table.ToString());
  PrintJson(common, {{"cpu", machine.cpu},
                     {"cores", machine.cores},
                     {"instruction_sets", machine.instruction_sets},
                     {"caches", CachesJson(machine.caches)},
                     {"memory_bytes", machine.memory_bytes},
                     {"memory_free_bytes", machine.free_memory_bytes},
                     {"read_bandwidth_gb_per_s", all.levels.back().bytes_per_s / 1e9},
                     {"peak_gflops_one_core", one.f32.operations_per_s / 1e9},
                     {"peak_gflops", all.f32.operations_per_s / 1e9},
                     {"peak_instruction_set", all.f32.instruction_set},
                     {"probed", {PeaksJson(one), PeaksJson(all)}},
                     {"versions", std::move(versions)}});
  Next(common, "athanor inspect model.onnx");
  return {};
}

}  // namespace

std::function<Status()> Doctor(Arguments, const Common& common) {
  return [&common] { return Run(common); };
}

}  // namespace athanor::tools
