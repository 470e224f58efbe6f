/* The mean of each plane of x: [planes][size], in another scale. */
typedef struct {
  int32_t planes, size, x_zero, y_zero, low, high, multiplier, shift;
} ath_mean;

static void ath_mean_i8(const ath_mean* p, const int8_t* x, int8_t* y) {
  for (int32_t plane = 0; plane < p->planes; ++plane) {
    int32_t sum = 0;
    for (int32_t i = 0; i < p->size; ++i) sum += *x++ - p->x_zero;
    y[plane] = ath_store(ath_multiply(sum, p->multiplier, p->shift), p->y_zero, p->low, p->high);
  }
}
