// Products of bfloat16 numbers with sums in f32, by the dot products of AVX-512. Included by
// .isa.cpp files: no standard library.
//
// A dot product takes a pair of neighbours of each factor, so the sum runs over pairs: a pair of
// the data goes to all lanes, each of which is a channel (a column) of the result.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels::bf16 {

inline constexpr std::size_t kLanes = 16;       // floats of a vector
inline constexpr std::size_t kPairBytes = 4;    // of a pair
inline constexpr std::size_t kTallest = 14;     // rows of a tile
inline constexpr std::size_t kMostVectors = 2;  // of a row

// y[rows][vectors][lanes] = data times weights, rows and vectors fixed by the function. Step i
// takes one pair of each row, at x + offsets[i], the rows `stride` bytes apart.
struct Tile {
  std::size_t steps = 0;
  const std::byte* x = nullptr;
  std::size_t stride = 0;
  const std::uint32_t* offsets = nullptr;
  const std::byte* weights = nullptr;  // [steps][vectors][lanes] of pairs
  // As many cache lines as there are steps, which are wanted soon; or nullptr.
  const std::byte* soon = nullptr;
  float* y = nullptr;
  std::size_t y_row = 0, y_vector = 0;  // floats between rows and between vectors of y
  std::size_t last = kLanes;            // lanes that the last vector has in y
  const float* bias = nullptr;          // one per lane; or nullptr
  const float* residual = nullptr;      // lies like y; or nullptr
  bool clamp = false;
  float low = 0;
  float high = 0;
};
using Product = void (*)(const Tile& tile);

struct Table {
  Product product[kMostVectors + 1][kTallest + 1] = {};  // by vectors and rows, both from 1
  // n floats as bf16, rounded to nearest even; a NaN stays one, numbers below 1.2e-38 are zeros.
  void (*narrow)(const float* x, std::size_t n, std::uint16_t* to) = nullptr;
  // n positions of a block of channels, of which the first `channels` count: the others may hold
  // anything and become zeros. `step`: floats between positions.
  void (*narrow_block)(const float* x, std::size_t n, std::size_t step, std::size_t channels,
                       std::uint16_t* to) = nullptr;
  // So many steps of a loop of 24 dot products, and of 24 multiply-adds of floats.
  float (*spin_products)(std::size_t steps) = nullptr;
  float (*spin_floats)(std::size_t steps) = nullptr;
};

extern const Table kTable;

}  // namespace athanor::kernels::bf16
