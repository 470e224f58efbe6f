/* Products of integers with real numbers, which are 31-bit integers and shifts. Rounded as
   TensorFlow Lite's reference kernels do: twice, halves away from zero; once in matrix products.
   Right shifts of negative numbers are arithmetic, as every compiler for microcontrollers has
   them. */
static inline int32_t ath_high_mul(int32_t a, int32_t b) {
  if (a == b && a == INT32_MIN) return INT32_MAX;
  const int64_t product = (int64_t)a * b;
  const int64_t nudge = product >= 0 ? (int64_t)1 << 30 : 1 - ((int64_t)1 << 30);
  return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}

/* round(x / 2^exponent) */
static inline int32_t ath_shift_right(int32_t x, int exponent) {
  const int32_t mask = (int32_t)(((int64_t)1 << exponent) - 1);
  const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

/* x * multiplier * 2^(shift - 31) */
static inline int32_t ath_multiply(int32_t x, int32_t multiplier, int shift) {
  const int left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
  return ath_shift_right(ath_high_mul((int32_t)((uint32_t)x << left), multiplier), right);
}

/* The same, rounded once, halves up. */
static inline int32_t ath_multiply_once(int32_t x, int32_t multiplier, int shift) {
  const int right = 31 - shift;
  return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << (right - 1))) >> right);
}

static inline int8_t ath_store(int32_t value, int32_t zero, int32_t low, int32_t high) {
  value += zero;
  return (int8_t)(value < low ? low : value > high ? high : value);
}
