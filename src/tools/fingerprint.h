// What decides how fast this machine is at this moment, beside the figures that are measured on it:
// two measurements are comparable where these agree.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace athanor::tools {

struct Fingerprint {
  std::string cpu;
  int cores = 1;                        // this process may use
  std::string kernels;                  // "avx512 with VNNI": the instruction sets that kernels use
  std::string system;                   // "Linux 6.1.0"
  std::optional<std::string> governor;  // of the clock; nothing where the system does not tell
  std::optional<bool> turbo;            // whether the clock may rise above its nominal rate
  std::optional<double> cpu_quota;      // cores' worth of time that a container may use
  std::string hypervisor;               // "KVM"; "" on bare metal
  double load = 0;                      // processes that wanted to run in the last minute
  std::string version;                  // of the program

  // Of all that stays while the machine does: equal where figures may be compared.
  std::string Id() const;
};

Fingerprint TakeFingerprint();
// "AMD EPYC, 2 cores, avx512 with VNNI, KVM, governor unknown, turbo unknown, load 0.52"
std::string FingerprintText(const Fingerprint& fingerprint);
nlohmann::json FingerprintJson(const Fingerprint& fingerprint);

}  // namespace athanor::tools
