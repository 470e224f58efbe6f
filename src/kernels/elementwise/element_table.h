// Element-wise functions of up to three operands, for every element type they accept. Included by
// .isa.cpp files: no standard library.
#pragma once

#include <cstddef>

namespace athanor::kernels {

// y[i] = f(in[0][i], in[1][i], in[2][i]); a step of 0 repeats the one element, a step of 1 walks.
// y may be an operand whose elements are as large. False when an element has no answer (an integer
// divided by 0); the others are computed.
using ElementFn = bool (*)(const void* const* in, const std::size_t* step, void* y, std::size_t n);

// nullptr where the operator does not accept the type, or has another kernel for it.
struct ElementRow {
  const char* op = nullptr;
  ElementFn f32 = nullptr, i8 = nullptr, u8 = nullptr, i32 = nullptr, i64 = nullptr,
            boolean = nullptr, f64 = nullptr;
};

// Elements of one size are copied alike, whatever they mean.
struct ChooseTable {
  // y[i] = condition[i] ? a[i] : b[i] for elements of 1, 2, 4, 8 bytes.
  ElementFn bytes1 = nullptr, bytes2 = nullptr, bytes4 = nullptr, bytes8 = nullptr;
};

struct ElementTable {
  const ElementRow* rows = nullptr;
  std::size_t count = 0;
  ChooseTable choose;
};

namespace base {
extern const ElementTable kElements;
}
namespace avx2 {
extern const ElementTable kElements;
}
namespace avx512 {
extern const ElementTable kElements;
}

}  // namespace athanor::kernels
