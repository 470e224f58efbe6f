/* y[rows][columns] = x[rows][depth] * w[columns][depth] transposed + bias[columns]. */
typedef struct {
  int32_t rows, columns, depth, x_zero, y_zero, low, high;
} ath_gemm;

static void ath_gemm_i8(const ath_gemm* g, const int8_t* x, const int8_t* w, const int32_t* bias,
                        const int32_t* multiplier, const int8_t* shift, int8_t* y) {
  for (int32_t i = 0; i < g->rows; ++i, x += g->depth) {
    const int8_t* row = w;
    for (int32_t j = 0; j < g->columns; ++j, row += g->depth) {
      uint32_t sum = (uint32_t)bias[j];
      for (int32_t k = 0; k < g->depth; ++k) sum += (uint32_t)((x[k] - g->x_zero) * row[k]);
      *y++ = ath_store(ath_multiply_once((int32_t)sum, multiplier[j], shift[j]), g->y_zero, g->low,
                       g->high);
    }
  }
}
