/* y[i0][i1][i2][i3] = x[i0 * step[0] + i1 * step[1] + i2 * step[2] + i3 * step[3]]. */
static void ath_transpose_i8(const int32_t size[4], const int32_t step[4], const int8_t* x,
                             int8_t* y) {
  for (int32_t a = 0; a < size[0]; ++a) {
    for (int32_t b = 0; b < size[1]; ++b) {
      for (int32_t c = 0; c < size[2]; ++c) {
        const int8_t* from = x + a * step[0] + b * step[1] + c * step[2];
        for (int32_t d = 0; d < size[3]; ++d) *y++ = from[d * step[3]];
      }
    }
  }
}
