/* y = a + b or a - b, element by element. Both inputs come to one scale with 20 bits to spare. */
typedef struct {
  int32_t a_zero, b_zero, y_zero, low, high;
  int32_t a_multiplier, b_multiplier, y_multiplier;
  int32_t a_shift, b_shift, y_shift;
  int32_t sign; /* of b */
} ath_add;

static void ath_add_i8(const ath_add* p, const int8_t* a, const int8_t* b, size_t count,
                       int8_t* y) {
  for (size_t i = 0; i < count; ++i) {
    const int32_t left = ath_multiply((a[i] - p->a_zero) * (1 << 20), p->a_multiplier, p->a_shift);
    const int32_t right = ath_multiply((b[i] - p->b_zero) * (1 << 20), p->b_multiplier, p->b_shift);
    const int32_t sum = ath_multiply(left + p->sign * right, p->y_multiplier, p->y_shift);
    y[i] = ath_store(sum, p->y_zero, p->low, p->high);
  }
}
