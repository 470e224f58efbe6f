#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "ops/run_for_test.h"
#include "ops/signal/fourier.h"

namespace athanor::ops {
namespace {

using Complex = std::complex<double>;

TEST(Fourier, AgreesWithItsDefinitionAtEveryLength) {
  for (std::size_t n = 1; n <= 20; ++n) {
    std::vector<Complex> x;
    for (std::size_t i = 0; i < n; ++i)
      x.emplace_back(std::sin(static_cast<double>(3 * i)), std::cos(static_cast<double>(i * i)));
    const std::vector<Complex> y = Fourier(x, false);
    for (std::size_t k = 0; k < n; ++k) {
      Complex sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        sum += x[i] * std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(i * k) /
                                          static_cast<double>(n));
      }
      EXPECT_LT(std::abs(y[k] - sum), 1e-12 * static_cast<double>(n)) << n;
    }
    const std::vector<Complex> back = Fourier(y, true);
    for (std::size_t i = 0; i < n; ++i) EXPECT_LT(std::abs(back[i] - x[i]), 1e-12);
  }
}

TEST(Dft, RefusesWhatIsNoSignal) {
  const Tensor x = Tensor::FromVector<float>({1, 2, 2}, {1, 2, 3, 4});
  const auto message = [&](std::vector<Tensor> inputs, AttrMap attributes) {
    return RunOperator("DFT", std::move(inputs), std::move(attributes)).status().message();
  };
  EXPECT_EQ(message({x}, {{"onesided", std::int64_t{1}}}),
            "onesided needs a real signal; f32[1, 2, 2] is complex");
  EXPECT_EQ(message({x, Tensor(), Tensor::Scalar<std::int64_t>(2)}, {}),
            "axis 2 holds the parts of complex numbers");
  EXPECT_EQ(message({x, Tensor::Scalar<std::int64_t>(0)}, {}),
            "a transform of 0 points; 1 to 67108864 is accepted");
  EXPECT_FALSE(message({Tensor::FromVector<float>({1, 3}, {1, 2, 3})}, {}).empty());
}

TEST(Dft, RefusesAnAxisThatIsNoScalar) {
  const Tensor x = Tensor::FromVector<float>({1, 2, 2}, {1, 2, 3, 4});
  const Tensor none = Tensor::FromVector<std::int64_t>({0}, {});
  EXPECT_EQ(RunOperator("DFT", {x, Tensor(), none}).status().message(),
            "input 2 is i64[0]; an integer scalar is expected");
  EXPECT_FALSE(RunOperator("HannWindow", {none}).ok());
}

TEST(Stft, RefusesFramesThatDoNotFit) {
  const Tensor x = Tensor::FromVector<float>({1, 3, 1}, {1, 2, 3});
  const auto run = [&](std::int64_t step, std::int64_t length) {
    return RunOperator("STFT", {x, Tensor::Scalar<std::int64_t>(step), Tensor(),
                                Tensor::Scalar<std::int64_t>(length)})
        .status();
  };
  EXPECT_TRUE(run(1, 3).ok());
  EXPECT_FALSE(run(0, 2).ok());
  EXPECT_FALSE(run(1, 4).ok());
}

TEST(Windows, RefuseASizeThatIsNone) {
  EXPECT_FALSE(RunOperator("HannWindow", {Tensor::Scalar<std::int64_t>(-1)}).ok());
  EXPECT_FALSE(
      RunOperator("HannWindow", {Tensor::Scalar<std::int64_t>(std::int64_t{1} << 60)}).ok());
}

TEST(MelWeightMatrix, RefusesABandBeyondTheSpectrum) {
  const auto scalar = [](std::int64_t v) { return Tensor::Scalar<std::int64_t>(v); };
  EXPECT_EQ(RunOperator("MelWeightMatrix", {scalar(8), scalar(16), scalar(8192),
                                            Tensor::Scalar(0.0F), Tensor::Scalar(1e6F)})
                .status()
                .code(),
            ErrorCode::kDataError);
}

}  // namespace
}  // namespace athanor::ops
