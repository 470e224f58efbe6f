// A counter-based random generator: number i of stream `seed` is a pure function of (seed, i), so
// any element can be drawn on its own and a result does not depend on how work is shared out.
//
// The function is SplitMix64's finaliser (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators", OOPSLA 2014) over seed and counter. Good for sampling, not for cryptography.
#pragma once

#include <cstdint>
#include <optional>

namespace athanor::ops {

class Random {
 public:
  // Equal seeds give equal numbers on every machine. Without a seed: a different stream every time.
  explicit Random(std::optional<float> seed);

  std::uint64_t Bits();
  double Uniform();  // in [0, 1), 53 random bits
  double Normal();   // mean 0, standard deviation 1 (Box-Muller; two numbers each)

 private:
  std::uint64_t key_ = 0;
  std::uint64_t counter_ = 0;
};

}  // namespace athanor::ops
