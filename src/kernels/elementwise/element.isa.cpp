// Element-wise functions as plain loops over templates, which the compiler turns into vectors of
// each instruction set. (Transcendental functions of floats, which it cannot, are in
// unary.isa.cpp.)
#include "kernels/elementwise/element_table.h"
#include "kernels/simd.h"
#include "kernels/wrapping.h"

namespace athanor::kernels::ATH_ISA {
namespace {

template <class T>
constexpr bool kIsSigned = static_cast<T>(-1) < static_cast<T>(0);

struct AddOf {
  template <class T>
  static T Of(T a, T b) {
    return WrapAdd(a, b);
  }
};
struct SubOf {
  template <class T>
  static T Of(T a, T b) {
    return WrapSub(a, b);
  }
};
struct MulOf {
  template <class T>
  static T Of(T a, T b) {
    return WrapMul(a, b);
  }
};
// NaN wins.
struct MaxOf {
  template <class T>
  static T Of(T a, T b) {
    return a != a || a > b ? a : b;
  }
};
struct MinOf {
  template <class T>
  static T Of(T a, T b) {
    return a != a || a < b ? a : b;
  }
};
struct PReluOf {
  template <class T>
  static T Of(T a, T b) {
    return a < 0 ? MulOf::Of(a, b) : a;
  }
};
struct AndOf {
  template <class T>
  static T Of(T a, T b) {
    return static_cast<T>(a & b);
  }
};
struct OrOf {
  template <class T>
  static T Of(T a, T b) {
    return static_cast<T>(a | b);
  }
};
struct XorOf {
  template <class T>
  static T Of(T a, T b) {
    return static_cast<T>(a ^ b);
  }
};
// A count that is negative or not below the width shifts everything out.
struct ShiftLeftOf {
  template <class T>
  static T Of(T a, T count) {
    const bool inside = count >= 0 && count < static_cast<T>(8 * sizeof(T));
    return inside ? static_cast<T>(Bits(a) << count) : T(0);
  }
};
struct ShiftRightOf {
  template <class T>
  static T Of(T a, T count) {
    const bool inside = count >= 0 && count < static_cast<T>(8 * sizeof(T));
    return static_cast<T>(a >> (inside ? count : static_cast<T>(8 * sizeof(T) - 1))) *
           static_cast<T>(inside || a < 0);
  }
};
struct EqualOf {
  template <class T>
  static std::uint8_t Of(T a, T b) {
    return a == b;
  }
};
struct GreaterOf {
  template <class T>
  static std::uint8_t Of(T a, T b) {
    return a > b;
  }
};
struct GreaterOrEqualOf {
  template <class T>
  static std::uint8_t Of(T a, T b) {
    return a >= b;
  }
};
struct LessOf {
  template <class T>
  static std::uint8_t Of(T a, T b) {
    return a < b;
  }
};
struct LessOrEqualOf {
  template <class T>
  static std::uint8_t Of(T a, T b) {
    return a <= b;
  }
};
// By repeated squaring. A negative exponent gives the truncated 1 / a^b.
struct PowOf {
  template <class T>
  static T Of(T a, T b) {
    if (b < 0) return a == 1 ? T(1) : a == -1 ? (b % 2 == 0 ? T(1) : T(-1)) : T(0);
    T result = 1;
    for (auto left = Bits(b); left != 0; left >>= 1) {
      if ((left & 1) != 0) result = MulOf::Of(result, a);
      a = MulOf::Of(a, a);
    }
    return result;
  }
  static float Of(float a, float b) { return __builtin_powf(a, b); }
};
// With the sign of b, or (fmod) that of a.
struct ModOf {
  static float Of(float a, float b) {
    const float rest = __builtin_fmodf(a, b);
    if (rest != rest) return rest;
    if (rest == 0) return __builtin_copysignf(0.0F, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
  }
};
struct FmodOf {
  static float Of(float a, float b) { return __builtin_fmodf(a, b); }
};

// Integers that are divided; b is not 0.
struct DivOf {
  template <class T>
  static T Of(T a, T b) {
    // The quotient of the smallest integer by -1 would overflow: it wraps to itself.
    if (kIsSigned<T> && b == static_cast<T>(-1)) return SubOf::Of(T(0), a);
    return static_cast<T>(a / b);
  }
  // Exact: a double holds every product of the quotient, and a vector can do it.
  static std::int32_t Of(std::int32_t a, std::int32_t b) {
    const double quotient = static_cast<double>(a) / static_cast<double>(b);
    return static_cast<std::int32_t>(static_cast<std::int64_t>(quotient));
  }
};
struct IntModOf {
  template <class T>
  static T Of(T a, T b) {
    if (kIsSigned<T> && b == static_cast<T>(-1)) return 0;
    const T rest = static_cast<T>(a % b);
    return rest != 0 && (rest < 0) != (b < 0) ? static_cast<T>(rest + b) : rest;
  }
};
struct IntFmodOf {
  template <class T>
  static T Of(T a, T b) {
    if (kIsSigned<T> && b == static_cast<T>(-1)) return 0;
    return static_cast<T>(a % b);
  }
};

struct AbsOf {
  template <class T>
  static T Of(T x) {
    return x < 0 ? SubOf::Of(T(0), x) : x;
  }
};
struct NegOf {
  template <class T>
  static T Of(T x) {
    return SubOf::Of(T(0), x);
  }
};
struct SignOf {
  template <class T>
  static T Of(T x) {
    return static_cast<T>((x > 0) - (x < 0));
  }
};
struct ReluOf {
  template <class T>
  static T Of(T x) {
    return x > 0 ? x : T(0);
  }
};
struct BitwiseNotOf {
  template <class T>
  static T Of(T x) {
    return static_cast<T>(~x);
  }
};
struct NotOf {
  static std::uint8_t Of(std::uint8_t x) { return x ^ 1; }
};
struct IsNaNOf {
  static std::uint8_t Of(float x) { return x != x; }
};
struct IsInfOf {
  static std::uint8_t Of(float x) { return __builtin_fabsf(x) == __builtin_inff(); }
};
struct IsPlusInfOf {
  static std::uint8_t Of(float x) { return x == __builtin_inff(); }
};
struct IsMinusInfOf {
  static std::uint8_t Of(float x) { return x == -__builtin_inff(); }
};

template <class T, class O, class F>
bool One(const void* const* in, const std::size_t* step, void* y, std::size_t n) {
  const T* x = static_cast<const T*>(in[0]);
  O* out = static_cast<O*>(y);
  const std::size_t walk = step[0];
  if (walk == 0) {
    const T v = *x;
    for (std::size_t i = 0; i < n; ++i) out[i] = F::Of(v);
    return true;
  }
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) out[i] = F::Of(x[i]);
  return true;
}

template <class T, class O, class F>
bool Two(const void* const* in, const std::size_t* step, void* y, std::size_t n) {
  const T* a = static_cast<const T*>(in[0]);
  const T* b = static_cast<const T*>(in[1]);
  O* out = static_cast<O*>(y);
  if (step[0] == 0) {
    const T v = *a;
#pragma GCC ivdep
    for (std::size_t i = 0; i < n; ++i) out[i] = F::Of(v, b[i * step[1]]);
  } else if (step[1] == 0) {
    const T v = *b;
#pragma GCC ivdep
    for (std::size_t i = 0; i < n; ++i) out[i] = F::Of(a[i], v);
  } else {
#pragma GCC ivdep
    for (std::size_t i = 0; i < n; ++i) out[i] = F::Of(a[i], b[i]);
  }
  return true;
}

// A divisor of 0 counts as 1, and is reported.
template <class T, class F>
bool Divide(const void* const* in, const std::size_t* step, void* y, std::size_t n) {
  const T* a = static_cast<const T*>(in[0]);
  const T* b = static_cast<const T*>(in[1]);
  T* out = static_cast<T*>(y);
  bool by_zero = false;
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) {
    const T divisor = b[i * step[1]];
    by_zero |= divisor == 0;
    out[i] = F::Of(a[i * step[0]], divisor == 0 ? T(1) : divisor);
  }
  return !by_zero;
}

// High wins where the bounds cross; NaN passes.
template <class T>
bool Clip(const void* const* in, const std::size_t* step, void* y, std::size_t n) {
  const T* x = static_cast<const T*>(in[0]);
  const T low = *static_cast<const T*>(in[1]), high = *static_cast<const T*>(in[2]);
  T* out = static_cast<T*>(y);
  const std::size_t walk = step[0];
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) {
    const T v = x[i * walk];
    const T above = v < low ? low : v;
    out[i] = above > high ? high : above;
  }
  return true;
}

template <class T>
bool Choose(const void* const* in, const std::size_t* step, void* y, std::size_t n) {
  const auto* condition = static_cast<const std::uint8_t*>(in[0]);
  const T* a = static_cast<const T*>(in[1]);
  const T* b = static_cast<const T*>(in[2]);
  T* out = static_cast<T*>(y);
  const std::size_t walk_a = step[1], walk_b = step[2];
  if (step[0] == 0) {
    const T* chosen = *condition != 0 ? a : b;
    const std::size_t walk = *condition != 0 ? walk_a : walk_b;
#pragma GCC ivdep
    for (std::size_t i = 0; i < n; ++i) out[i] = chosen[i * walk];
  } else if (walk_a == 1 && walk_b == 1) {
#pragma GCC ivdep
    for (std::size_t i = 0; i < n; ++i) {
      const T u = a[i], v = b[i];
      out[i] = condition[i] != 0 ? u : v;
    }
  } else if (walk_a == 0 && walk_b == 0) {
    const T u = *a, v = *b;
#pragma GCC ivdep
    for (std::size_t i = 0; i < n; ++i) out[i] = condition[i] != 0 ? u : v;
  } else if (walk_a == 0) {
    const T u = *a;
#pragma GCC ivdep
    for (std::size_t i = 0; i < n; ++i) {
      const T v = b[i];
      out[i] = condition[i] != 0 ? u : v;
    }
  } else {
    const T v = *b;
#pragma GCC ivdep
    for (std::size_t i = 0; i < n; ++i) {
      const T u = a[i];
      out[i] = condition[i] != 0 ? u : v;
    }
  }
  return true;
}

// Every integer type, same type out.
template <class F>
constexpr ElementRow Ints(const char* op, ElementFn f64 = nullptr) {
  return {.op = op,
          .i8 = Two<std::int8_t, std::int8_t, F>,
          .u8 = Two<std::uint8_t, std::uint8_t, F>,
          .i32 = Two<std::int32_t, std::int32_t, F>,
          .i64 = Two<std::int64_t, std::int64_t, F>,
          .f64 = f64};
}
// And f64, of which scores of forests are made.
template <class F>
constexpr ElementRow IntsAndF64(const char* op) {
  return Ints<F>(op, Two<double, double, F>);
}
template <class F>
constexpr ElementRow DividedInts(const char* op, ElementFn f32 = nullptr) {
  return {.op = op,
          .f32 = f32,
          .i8 = Divide<std::int8_t, F>,
          .u8 = Divide<std::uint8_t, F>,
          .i32 = Divide<std::int32_t, F>,
          .i64 = Divide<std::int64_t, F>};
}
template <class F>
constexpr ElementRow Compared(const char* op, ElementFn boolean = nullptr) {
  return {.op = op,
          .f32 = Two<float, std::uint8_t, F>,
          .i8 = Two<std::int8_t, std::uint8_t, F>,
          .u8 = Two<std::uint8_t, std::uint8_t, F>,
          .i32 = Two<std::int32_t, std::uint8_t, F>,
          .i64 = Two<std::int64_t, std::uint8_t, F>,
          .boolean = boolean};
}
template <class F>
constexpr ElementRow UnaryInts(const char* op) {
  return {.op = op,
          .i8 = One<std::int8_t, std::int8_t, F>,
          .u8 = One<std::uint8_t, std::uint8_t, F>,
          .i32 = One<std::int32_t, std::int32_t, F>,
          .i64 = One<std::int64_t, std::int64_t, F>};
}
template <class F>
constexpr ElementRow Logic(const char* op) {
  return {.op = op, .boolean = Two<std::uint8_t, std::uint8_t, F>};
}

// Variants of one operator follow each other: "op", "op:variant".
constexpr ElementRow kRows[] = {
    UnaryInts<AbsOf>("Abs"),
    IntsAndF64<AddOf>("Add"),
    Logic<AndOf>("And"),
    Ints<ShiftLeftOf>("BitShift:LEFT"),
    Ints<ShiftRightOf>("BitShift:RIGHT"),
    Ints<AndOf>("BitwiseAnd"),
    UnaryInts<BitwiseNotOf>("BitwiseNot"),
    Ints<OrOf>("BitwiseOr"),
    Ints<XorOf>("BitwiseXor"),
    {.op = "Clip",
     .f32 = Clip<float>,
     .i8 = Clip<std::int8_t>,
     .u8 = Clip<std::uint8_t>,
     .i32 = Clip<std::int32_t>,
     .i64 = Clip<std::int64_t>},
    DividedInts<DivOf>("Div"),
    Compared<EqualOf>("Equal", Two<std::uint8_t, std::uint8_t, EqualOf>),
    Compared<GreaterOf>("Greater"),
    Compared<GreaterOrEqualOf>("GreaterOrEqual"),
    {.op = "IsInf", .f32 = One<float, std::uint8_t, IsInfOf>},
    {.op = "IsInf:minus", .f32 = One<float, std::uint8_t, IsMinusInfOf>},
    {.op = "IsInf:plus", .f32 = One<float, std::uint8_t, IsPlusInfOf>},
    {.op = "IsNaN", .f32 = One<float, std::uint8_t, IsNaNOf>},
    Compared<LessOf>("Less"),
    Compared<LessOrEqualOf>("LessOrEqual"),
    Ints<MaxOf>("Max"),
    Ints<MinOf>("Min"),
    DividedInts<IntModOf>("Mod", Two<float, float, ModOf>),
    DividedInts<IntFmodOf>("Mod:fmod", Two<float, float, FmodOf>),
    IntsAndF64<MulOf>("Mul"),
    UnaryInts<NegOf>("Neg"),
    {.op = "Not", .boolean = One<std::uint8_t, std::uint8_t, NotOf>},
    Logic<OrOf>("Or"),
    {.op = "PRelu",
     .i32 = Two<std::int32_t, std::int32_t, PReluOf>,
     .i64 = Two<std::int64_t, std::int64_t, PReluOf>},
    {.op = "Pow",
     .f32 = Two<float, float, PowOf>,
     .i32 = Two<std::int32_t, std::int32_t, PowOf>,
     .i64 = Two<std::int64_t, std::int64_t, PowOf>},
    UnaryInts<ReluOf>("Relu"),
    UnaryInts<SignOf>("Sign"),
    IntsAndF64<SubOf>("Sub"),
    Logic<XorOf>("Xor"),
};

}  // namespace

extern const ElementTable kElements = {.rows = kRows,
                                       .count = sizeof(kRows) / sizeof(kRows[0]),
                                       .choose = {.bytes1 = Choose<std::uint8_t>,
                                                  .bytes2 = Choose<std::uint16_t>,
                                                  .bytes4 = Choose<std::uint32_t>,
                                                  .bytes8 = Choose<std::uint64_t>}};

}  // namespace athanor::kernels::ATH_ISA
