// Sums of products take numbers below 1.2e-38 for zero: a multiply-add of one of them takes a
// hundred cycles on many processors, and no sum of ordinary numbers feels them.
#pragma once

#include <xmmintrin.h>

namespace athanor::kernels {

// While it lives, on the thread that made it and on those that share its loops (ThreadPool). The
// caller's own setting returns afterwards. Not for element-wise work or comparisons: the sign and
// the logarithm of such a number are not those of zero.
class TinyAsZero {
 public:
  TinyAsZero() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushResults | kOperandsAreZero); }
  ~TinyAsZero() { _mm_setcsr(before_); }
  TinyAsZero(const TinyAsZero&) = delete;
  TinyAsZero& operator=(const TinyAsZero&) = delete;

 private:
  static constexpr unsigned kFlushResults = 0x8000, kOperandsAreZero = 0x0040;
  unsigned before_;
};

}  // namespace athanor::kernels
