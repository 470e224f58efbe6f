// Loops that do nothing but what is to be measured: arithmetic on registers, reads of memory. The
// widest instruction set of this processor runs them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::tools {

enum class Arithmetic : std::uint8_t {
  kF32,   // fused multiply-adds
  kInt8,  // products of bytes summed up in 32 bits
  kBf16,  // products of 16-bit numbers summed up in f32
};

struct ArithmeticLoop {
  const char* instruction_set = "";  // as /proc/cpuinfo spells it
  const char* instruction = "";      // that does the work
  double operations = 0;             // of one step; a multiply-add is 2
  int (*run)(std::int64_t steps) = nullptr;
};

// `run` is nullptr where the processor has no instruction for it.
ArithmeticLoop WidestLoop(Arithmetic arithmetic);

// Reads `count` floats, a multiple of 64, so many times.
int ReadAll(const float* data, std::size_t count, std::int64_t times = 1);
const char* ReadInstruction();

}  // namespace athanor::tools
