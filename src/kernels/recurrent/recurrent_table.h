// What is done with the gates of a recurrent step, for the usual activations: logistic function and
// tanh. Included by .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

struct RecurrentTable {
  // gates: input, output, forget, cell, n each. The cell state c and the state h become the next
  // ones.
  void (*lstm)(const float* gates, float* c, float* h, std::size_t n) = nullptr;
  // gates: update, reset and what the state adds to the candidate, n each; `candidate`: what the
  // input adds to it. h becomes the next state.
  void (*gru)(const float* gates, const float* candidate, float* h, std::size_t n) = nullptr;
  // The same in two parts, where the reset gate comes before the product with the state.
  // reset_h = reset h
  void (*gru_reset)(const float* gates, const float* h, float* reset_h, std::size_t n) = nullptr;
  // gates: update, (reset), candidate.
  void (*gru_blend)(const float* gates, float* h, std::size_t n) = nullptr;
};

namespace base {
extern const RecurrentTable kRecurrent;
}
namespace avx2 {
extern const RecurrentTable kRecurrent;
}
namespace avx512 {
extern const RecurrentTable kRecurrent;
}

}  // namespace athanor::kernels
