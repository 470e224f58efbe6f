/* Softmax of lines of `size` numbers with fixed-point exponentials. "Raw" numbers with n integer
   bits stand for raw / 2^(31 - n). The result has scale 1/256 and zero point -128. */
typedef struct {
  int32_t lines, size, multiplier, shift, lowest; /* differences below `lowest` give 0 */
} ath_softmax;

static int32_t ath_saturating_shift_left(int32_t x, int exponent) {
  const int32_t limit = (int32_t)(((int64_t)1 << (31 - exponent)) - 1);
  if (x > limit) return INT32_MAX;
  if (x < -limit) return INT32_MIN;
  return (int32_t)((uint32_t)x << exponent);
}

static int32_t ath_wrapping_add(int32_t a, int32_t b) {
  return (int32_t)((uint32_t)a + (uint32_t)b);
}

/* exp(a) for a in [-1/4, 0), both with 0 integer bits: Taylor's series around -1/8. */
static int32_t ath_exp_on_quarter(int32_t a) {
  const int32_t exp_of_minus_eighth = 1895147668, third = 715827883;
  const int32_t x = ath_wrapping_add(a, (int32_t)1 << 28);
  const int32_t x2 = ath_high_mul(x, x);
  const int32_t x3 = ath_high_mul(x2, x);
  const int32_t x4 = ath_high_mul(x2, x2);
  const int32_t cubic = ath_high_mul(ath_wrapping_add(ath_shift_right(x4, 2), x3), third);
  const int32_t rest = ath_shift_right(ath_wrapping_add(cubic, x2), 1);
  return ath_wrapping_add(exp_of_minus_eighth,
                          ath_high_mul(exp_of_minus_eighth, ath_wrapping_add(x, rest)));
}

/* exp(a) for a <= 0: `a` with 5 integer bits, the result with 0. */
static int32_t ath_exp_on_negative(int32_t a) {
  /* exp(-2^k) for k = -2 ... 4 */
  static const int32_t factors[7] = {1672461947, 1302514674, 790015084, 290630308,
                                     39332535,   720401,     242};
  const int32_t one_quarter = (int32_t)1 << 24;
  if (a == 0) return INT32_MAX;
  const int32_t quarter = (a & (one_quarter - 1)) - one_quarter;
  int32_t result = ath_exp_on_quarter(ath_saturating_shift_left(quarter, 5));
  const int32_t remainder = ath_wrapping_add(quarter, -a);
  for (int k = 0; k < 7; ++k) {
    if ((remainder & ((int32_t)1 << (24 + k))) != 0) result = ath_high_mul(result, factors[k]);
  }
  return result;
}

/* 1 / (1 + a) for a in [0, 1], both with 0 integer bits: Newton's division. */
static int32_t ath_one_over_one_plus(int32_t a) {
  const int64_t sum = (int64_t)a + INT32_MAX;
  const int32_t half = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
  int32_t x = ath_wrapping_add(1515870810, ath_high_mul(half, -1010580540));
  for (int i = 0; i < 3; ++i) {
    const int32_t error = ath_wrapping_add((int32_t)1 << 29, -ath_high_mul(half, x));
    x = ath_wrapping_add(x, ath_saturating_shift_left(ath_high_mul(x, error), 2));
  }
  return ath_saturating_shift_left(x, 1);
}

static void ath_softmax_i8(const ath_softmax* p, const int8_t* x, int8_t* y) {
  for (int32_t line = 0; line < p->lines; ++line, x += p->size, y += p->size) {
    int32_t largest = INT8_MIN, headroom = 0;
    uint32_t sum = 0;
    for (int32_t i = 0; i < p->size; ++i) largest = x[i] > largest ? x[i] : largest;
    for (int32_t i = 0; i < p->size; ++i) {
      const int32_t difference = x[i] - largest;
      if (difference < p->lowest) continue;
      sum += (uint32_t)ath_shift_right(
          ath_exp_on_negative(ath_multiply(difference, p->multiplier, p->shift)), 12);
    }
    while (headroom < 32 && ((sum << headroom) & ((uint32_t)1 << 31)) == 0) ++headroom;
    const int32_t scale = ath_one_over_one_plus((int32_t)((sum << headroom) - ((uint32_t)1 << 31)));
    int32_t shift = 12 - headroom + 31 - 8;
    shift = shift < 0 ? 0 : shift > 31 ? 31 : shift;
    for (int32_t i = 0; i < p->size; ++i) {
      const int32_t difference = x[i] - largest;
      int32_t value = 0;
      if (difference >= p->lowest) {
        const int32_t power =
            ath_exp_on_negative(ath_multiply(difference, p->multiplier, p->shift));
        value = ath_shift_right(ath_high_mul(scale, power), shift);
      }
      y[i] = ath_store(value, -128, -128, 127);
    }
  }
}
