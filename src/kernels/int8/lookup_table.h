// Functions of one byte as tables of their 256 results, for one instruction set. Included by
// .isa.cpp files: no standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace athanor::kernels::int8 {

// Where no instruction looks up more than 16 bytes, sixteen of them do. A shuffle by x - 16 k gives
// 0 as long as that is negative and the row's byte from there on, so that the rows up to that of x
// add up (without carries) to its result: row k holds the results of 16 k .. 16 k + 15 less those
// of the row before. The lower and the upper half of all bytes are sums of their own.
struct ByteTable {
  alignas(64) std::uint8_t results[256] = {};
  alignas(64) std::uint8_t rows[256] = {};
};

// y[i] = table.results[x[i]]; y may be x. Nothing beyond n is read or written.
using Lookup = void (*)(const std::uint8_t* x, std::size_t n, const ByteTable& table,
                        std::uint8_t* y);

struct LookupTable {
  Lookup shuffle = nullptr;
  Lookup permute = nullptr;  // needs AVX-512 VBMI, which not every such processor has
};

namespace base {
extern const LookupTable kLookups;
}  // namespace base
namespace avx2 {
extern const LookupTable kLookups;
}  // namespace avx2
namespace avx512 {
extern const LookupTable kLookups;
}  // namespace avx512

}  // namespace athanor::kernels::int8
