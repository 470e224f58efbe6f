#include "tools/fingerprint.h"

#include <cpuid.h>
#include <fmt/core.h>
#include <sys/utsname.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/cpu.h"
#include "core/cpu_name.h"
#include "core/digest.h"

namespace athanor::tools {
namespace {

std::optional<std::string> FirstWord(const char* path) {
  std::ifstream file(path);
  std::string word;
  if (!(file >> word)) return std::nullopt;
  return word;
}

std::optional<bool> Turbo() {
  if (const auto off = FirstWord("/sys/devices/system/cpu/intel_pstate/no_turbo"))
    return *off == "0";
  if (const auto on = FirstWord("/sys/devices/system/cpu/cpufreq/boost")) return *on == "1";
  return std::nullopt;
}

// The processor itself says whether a hypervisor is below us, and which.
std::string Hypervisor() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kPresent = 1U << 31, kVendorLeaf = 0x40000000;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kPresent) == 0) return "";
  __cpuid(kVendorLeaf, a, b, c, d);
  char vendor[13] = {};
  const unsigned words[] = {b, c, d};
  std::memcpy(vendor, words, sizeof words);
  const std::pair<const char*, const char*> known[] = {
      {"KVMKVMKVM", "KVM"},    {"Microsoft Hv", "Hyper-V"},  {"VMwareVMware", "VMware"},
      {"XenVMMXenVMM", "Xen"}, {"TCGTCGTCGTCG", "QEMU TCG"}, {"bhyve bhyve ", "bhyve"},
      {"ACRNACRNACRN", "ACRN"}};
  for (const auto& [signature, name] : known) {
    if (std::strncmp(vendor, signature, std::strlen(signature)) == 0) return name;
  }
  return "unknown";
}

// "200000 100000" -> 2; "max 100000" -> nothing
std::optional<double> CpuQuota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return std::nullopt;
  return std::strtod(quota.c_str(), nullptr) / period;
}

std::string Kernels() {
  std::string text(Name(BestIsa()));
  if (BestIsa() == Isa::kAvx512 && Cpu().avx512_vnni) text += " with VNNI";
  return text;
}

std::string TurboText(const std::optional<bool>& turbo) {
  return !turbo ? "unknown" : *turbo ? "on" : "off";
}

}  // namespace

Fingerprint TakeFingerprint() {
  utsname system = {};
  uname(&system);
  Fingerprint print;
  print.cpu = ProcessorName();
  print.cores = Cpu().cores;
  print.kernels = Kernels();
  print.system = fmt::format("{} {}", system.sysname, system.release);
  print.governor = FirstWord("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  print.turbo = Turbo();
  print.cpu_quota = CpuQuota();
  print.hypervisor = Hypervisor();
  getloadavg(&print.load, 1);
  print.version = ATHANOR_VERSION;
  return print;
}

std::string Fingerprint::Id() const {
  std::ostringstream text;
  text << cpu << '\n'
       << cores << '\n'
       << kernels << '\n'
       << system << '\n'
       << governor.value_or("") << '\n'
       << TurboText(turbo) << '\n'
       << cpu_quota.value_or(0) << '\n'
       << hypervisor << '\n'
       << version;
  const std::string all = text.str();
  return fmt::format("{:016x}",
                     Digest64({reinterpret_cast<const std::uint8_t*>(all.data()), all.size()}));
}

std::string FingerprintText(const Fingerprint& print) {
  std::string text = fmt::format("{}, {} core{}, {}, ", print.cpu, print.cores,
                                 print.cores == 1 ? "" : "s", print.kernels);
  if (print.cpu_quota) text += fmt::format("at most {:g} of them, ", *print.cpu_quota);
  text += print.hypervisor.empty() ? "no hypervisor" : "hypervisor " + print.hypervisor;
  return text + fmt::format(", governor {}, turbo {}, load {:.2f}",
                            print.governor.value_or("unknown"), TurboText(print.turbo), print.load);
}

nlohmann::json FingerprintJson(const Fingerprint& print) {
  const auto or_null = [](const auto& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
  };
  return {{"id", print.Id()},
          {"cpu", print.cpu},
          {"cores", print.cores},
          {"kernels", print.kernels},
          {"system", print.system},
          {"governor", or_null(print.governor)},
          {"turbo", or_null(print.turbo)},
          {"cpu_quota", or_null(print.cpu_quota)},
          {"hypervisor",
           print.hypervisor.empty() ? nlohmann::json() : nlohmann::json(print.hypervisor)},
          {"load", print.load},
          {"athanor", print.version}};
}

}  // namespace athanor::tools
