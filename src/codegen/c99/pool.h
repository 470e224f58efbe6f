/* Maximum or mean of windows. x: [planes][in_h][in_w], y: [planes][out_h][out_w]; the zero points
   of x and y agree. Means round halves away from 0. */
typedef struct {
  int32_t planes, in_h, in_w, out_h, out_w, kernel_h, kernel_w, stride_h, stride_w;
  int32_t dilation_h, dilation_w, pad_top, pad_left, low, high;
} ath_pool;

typedef struct {
  int32_t sum, count, largest;
} ath_window;

static ath_window ath_pool_window(const ath_pool* p, const int8_t* x, int32_t top, int32_t left) {
  ath_window window = {0, 0, INT8_MIN};
  for (int32_t kh = 0; kh < p->kernel_h; ++kh) {
    const int32_t h = top + kh * p->dilation_h;
    for (int32_t kw = 0; kw < p->kernel_w; ++kw) {
      const int32_t w = left + kw * p->dilation_w;
      if (h < 0 || h >= p->in_h || w < 0 || w >= p->in_w) continue;
      const int32_t value = x[h * p->in_w + w];
      window.sum += value;
      ++window.count;
      if (value > window.largest) window.largest = value;
    }
  }
  return window;
}

static int32_t ath_pool_mean(const ath_window* window) {
  const int32_t half = window->count / 2;
  if (window->count == 0) return 0;
  return window->sum > 0 ? (window->sum + half) / window->count
                         : (window->sum - half) / window->count;
}

static void ath_pool_i8(const ath_pool* p, int mean, const int8_t* x, int8_t* y) {
  for (int32_t plane = 0; plane < p->planes; ++plane, x += p->in_h * p->in_w) {
    for (int32_t oh = 0; oh < p->out_h; ++oh) {
      for (int32_t ow = 0; ow < p->out_w; ++ow) {
        const ath_window window =
            ath_pool_window(p, x, oh * p->stride_h - p->pad_top, ow * p->stride_w - p->pad_left);
        const int32_t value = mean ? ath_pool_mean(&window) : window.largest;
        *y++ = ath_store(value, 0, p->low, p->high);
      }
    }
  }
}
