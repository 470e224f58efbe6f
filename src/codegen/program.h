// Writes an int8 network as C99 for a microcontroller.
//
// The program includes <stddef.h> and <stdint.h> only, allocates nothing, and keeps all activations
// in one static array. Its results are the bytes that the operators' references give.
#pragma once

#include <string>
#include <vector>

#include "codegen/arena.h"
#include "ir/graph.h"

namespace athanor::codegen {

struct Options {
  std::string name = "model";  // of the files and the functions; a C identifier
  int self_tests = 4;          // random inputs whose answers the self-test compares
  // Limits that make generation fail with a resource error; 0: none.
  std::int64_t max_ram = 0, max_flash = 0;  // bytes
};

struct File {
  std::string name;
  std::string text;
};

struct Program {
  std::vector<File> files;
  std::vector<Buffer> buffers;      // where each result lies in the arena, and when
  std::int64_t arena_bytes = 0;     // static memory for activations
  std::int64_t arena_bound = 0;     // what no plan can go below
  std::int64_t constant_bytes = 0;  // weights, biases and multipliers
  std::int64_t operations = 0;      // multiply-adds count as two
};

// The graph has Q/DQ pairs with `arithmetic = fixed31` (as TFLite models have them, and as
// `quantize --arithmetic fixed31` makes them) and numbers for all shapes. QuantizeLinear of an
// input and DequantizeLinear of an output are left to the caller of the C function, which takes and
// gives int8; scales and zero points stand in the header. Everything that cannot be written is
// listed in one error.
Result<Program> Generate(Graph graph, const Options& options);

}  // namespace athanor::codegen
