/* The same numbers in another scale. */
typedef struct {
  int32_t x_zero, y_zero, low, high, multiplier, shift;
} ath_requantize;

static void ath_requantize_i8(const ath_requantize* p, const int8_t* x, size_t count, int8_t* y) {
  for (size_t i = 0; i < count; ++i)
    y[i] = ath_store(ath_multiply(x[i] - p->x_zero, p->multiplier, p->shift), p->y_zero, p->low,
                     p->high);
}
