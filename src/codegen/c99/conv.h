/* Convolution in groups. x: [groups * in_channels][in_h][in_w], w: [groups * out_channels]
   [in_channels][kernel_h][kernel_w], y: [groups * out_channels][out_h][out_w]. Sums wrap around. */
typedef struct {
  int32_t groups, in_channels, out_channels; /* channels of one group */
  int32_t in_h, in_w, out_h, out_w, kernel_h, kernel_w;
  int32_t stride_h, stride_w, dilation_h, dilation_w, pad_top, pad_left;
  int32_t x_zero, y_zero, low, high;
} ath_conv;

static uint32_t ath_conv_sum(const ath_conv* c, const int8_t* x, const int8_t* w, int32_t top,
                             int32_t left) {
  uint32_t sum = 0;
  for (int32_t ic = 0; ic < c->in_channels; ++ic, x += c->in_h * c->in_w) {
    for (int32_t kh = 0; kh < c->kernel_h; ++kh) {
      const int32_t h = top + kh * c->dilation_h;
      for (int32_t kw = 0; kw < c->kernel_w; ++kw, ++w) {
        const int32_t v = left + kw * c->dilation_w;
        if (h < 0 || h >= c->in_h || v < 0 || v >= c->in_w) continue;
        sum += (uint32_t)((x[h * c->in_w + v] - c->x_zero) * *w);
      }
    }
  }
  return sum;
}

static void ath_conv_i8(const ath_conv* c, const int8_t* x, const int8_t* w, const int32_t* bias,
                        const int32_t* multiplier, const int8_t* shift, int8_t* y) {
  const int32_t taps = c->in_channels * c->kernel_h * c->kernel_w;
  for (int32_t m = 0; m < c->groups * c->out_channels; ++m, w += taps) {
    const int8_t* group = x + m / c->out_channels * c->in_channels * c->in_h * c->in_w;
    for (int32_t oh = 0; oh < c->out_h; ++oh) {
      for (int32_t ow = 0; ow < c->out_w; ++ow) {
        const uint32_t sum = ath_conv_sum(c, group, w, oh * c->stride_h - c->pad_top,
                                          ow * c->stride_w - c->pad_left);
        const int32_t value = (int32_t)(sum + (uint32_t)bias[m]);
        *y++ = ath_store(ath_multiply(value, multiplier[m], shift[m]), c->y_zero, c->low, c->high);
      }
    }
  }
}
