#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "ops/run_for_test.h"
#include "ops/signal/fixed_fourier.h"
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

TEST(FixedFourier, BothWaysRefuseTheSameLengths) {
  const Tensor x = Tensor::FromVector<std::int16_t>({8}, {1, 2, 3, 4, 5, 6, 7, 8});
  for (const std::string_view op : {"SignalRfft", "SignalIrfft"}) {
    const auto message = [&](std::int64_t length) {
      return RunOperator(op, {x}, {{"fft_length", length}}).status().message();
    };
    EXPECT_EQ(message(6), "a transform of 6 points; a power of two from 4 to 65536 is accepted");
    EXPECT_EQ(message(131072),
              "a transform of 131072 points; a power of two from 4 to 65536 is accepted");
    EXPECT_FALSE(
        RunOperator(op, {Tensor::FromVector<float>({1}, {1})}, {{"fft_length", std::int64_t{8}}})
            .ok());
  }
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

TEST(FixedFourier, IsNearTheTransformOfRealNumbersAtEveryLength) {
  for (std::size_t n = 4; n <= 512; n *= 2) {
    std::vector<std::int16_t> x(n), y(n + 2);
    std::vector<Complex> real(n);
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = static_cast<std::int16_t>(20000 * std::sin(0.37 * static_cast<double>(i * i)));
      real[i] = x[i];
    }
    FixedRealFourier<std::int16_t>(x, y);
    const std::vector<Complex> expected = Fourier(real, false);
    // Each of log2(n) stages rounds by half a step, and its inputs' errors are divided with them.
    for (std::size_t k = 0; k <= n / 2; ++k) {
      EXPECT_NEAR(y[2 * k], expected[k].real() / static_cast<double>(n), 4) << n << " " << k;
      EXPECT_NEAR(y[2 * k + 1], expected[k].imag() / static_cast<double>(n), 4) << n << " " << k;
    }
  }
}

TEST(FixedFourier, With32BitsIsNearerStill) {
  std::vector<std::int32_t> x(64), y(66);
  std::vector<Complex> real(64);
  for (std::size_t i = 0; i < 64; ++i) {
    x[i] = static_cast<std::int32_t>(1.9e9 * std::cos(0.7 * static_cast<double>(i)));
    real[i] = x[i];
  }
  FixedRealFourier<std::int32_t>(x, y);
  const std::vector<Complex> expected = Fourier(real, false);
  for (std::size_t k = 0; k <= 32; ++k) EXPECT_NEAR(y[2 * k], expected[k].real() / 64, 16) << k;
}

// A spectrum that is no transform of real numbers is one of its real part.
TEST(FixedFourier, GoesBackFromAnySpectrum) {
  for (const std::size_t n : {4U, 8U, 16U, 64U, 512U}) {
    std::vector<std::int16_t> x(n + 2), y(n);
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<std::int16_t>(9000 * std::sin(1.3 * static_cast<double>(i * i)));
    FixedRealFourierInverse<std::int16_t>(x, y);
    for (std::size_t t = 0; t < n; ++t) {
      double expected = 0;
      for (std::size_t k = 0; k <= n / 2; ++k) {
        const double angle =
            2 * std::numbers::pi * static_cast<double>(k * t % n) / static_cast<double>(n);
        const bool is_end = k == 0 || k == n / 2;
        const double im = is_end ? 0 : x[2 * k + 1];
        expected += (is_end ? 1 : 2) * (x[2 * k] * std::cos(angle) - im * std::sin(angle));
      }
      EXPECT_NEAR(y[t], expected / static_cast<double>(n), 4) << n << " " << t;
    }
  }
}

// Of one output.
template <class T>
std::vector<T> Signal(std::string_view op, std::vector<Tensor> inputs, AttrMap attributes = {},
                      std::size_t num_outputs = 1, std::size_t output = 0) {
  const auto outputs = RunOperator(op, std::move(inputs), std::move(attributes), num_outputs);
  EXPECT_TRUE(outputs.ok()) << outputs.status().ToString();
  if (!outputs.ok()) return {};
  const auto data = (*outputs)[output].template Data<T>();
  return {data.begin(), data.end()};
}

Tensor I16(std::vector<std::int16_t> values) {
  return Tensor::FromVector<std::int16_t>({std::ssize(values)}, values);
}
Tensor U32(std::vector<std::uint32_t> values) {
  return Tensor::FromVector<std::uint32_t>({std::ssize(values)}, values);
}

TEST(AudioFrontEnd, WindowsRoundDownAndSaturate) {
  const Tensor frames = Tensor::FromVector<std::int16_t>({2, 2}, {3, -3, 32767, -32768});
  EXPECT_EQ(Signal<std::int16_t>("SignalWindow", {frames, I16({2048, 2048})},
                                 {{"shift", std::int64_t{12}}}),
            (std::vector<std::int16_t>{1, -2, 16383, -16384}));
  EXPECT_EQ(Signal<std::int16_t>("SignalWindow", {frames, I16({4, 4})}, {}),
            (std::vector<std::int16_t>{12, -12, 32767, -32768}));
}

TEST(AudioFrontEnd, AWindowIsAsLongAsItsFrames) {
  Graph graph(Standard());
  const ValueId x = graph.AddInput("x", Type::Tensor(DType::kI16, {2, Dim::Symbol("L")}));
  const ValueId w = graph.AddInput("w", Type::Tensor(DType::kI16, {Dim::Symbol("W")}));
  graph.AddOutput("y", *graph.Add("SignalWindow", {x, w}));
  const auto frames = Tensor::FromVector<std::int16_t>({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_TRUE(Evaluate(graph, {Datum(frames), Datum(I16({1, 1, 1, 1}))}).ok());
  // Both of these divide the number of samples.
  EXPECT_FALSE(Evaluate(graph, {Datum(frames), Datum(I16({1, 1}))}).ok());
  EXPECT_FALSE(Evaluate(graph, {Datum(frames), Datum(I16(std::vector<std::int16_t>(8, 1)))}).ok());
}

TEST(AudioFrontEnd, FramesAreRaisedToFifteenBits) {
  const auto raised = [](std::vector<std::int16_t> x) {
    auto y = Signal<std::int16_t>("SignalFftAutoScale", {I16(x)}, {}, 2);
    y.push_back(static_cast<std::int16_t>(
        Signal<std::int32_t>("SignalFftAutoScale", {I16(x)}, {}, 2, 1)[0]));
    return y;
  };
  EXPECT_EQ(raised({1, -5}), (std::vector<std::int16_t>{4096, -20480, 12}));
  EXPECT_EQ(raised({16384, 1}), (std::vector<std::int16_t>{16384, 1, 0}));
  EXPECT_EQ(raised({-32768, 1}), (std::vector<std::int16_t>{-32768, 1, 0}));
  EXPECT_EQ(raised({0, 0}), (std::vector<std::int16_t>{0, 0, 0}));
}

TEST(AudioFrontEnd, EnergiesOfSomeFrequenciesGoToBandsThatOverlap) {
  const auto energy =
      Signal<std::uint32_t>("SignalEnergy", {I16({9, 9, 3, -4, -32768, -32768, 1, 0})},
                            {{"start_index", std::int64_t{1}}, {"end_index", std::int64_t{3}}});
  EXPECT_EQ(energy, (std::vector<std::uint32_t>{0, 25, 2147483648U, 0}));
  // Band 0 only feeds band 1: 25 * 3 + 10 * 1, then 10 * 7 and nothing.
  EXPECT_EQ(
      Signal<std::uint64_t>("SignalFilterBank", {U32({25, 10, 4}), I16({5, 1, 2}), I16({3, 7, 6}),
                                                 I16({0, 1, 2}), I16({0, 1, 2}), I16({1, 1, 0})}),
      (std::vector<std::uint64_t>{25 * 3 + 10, 10 * 7}));
}

TEST(AudioFrontEnd, BandsOutsideOfTheSpectrumAreRefused) {
  const auto message = [](std::int16_t start, std::int16_t width) {
    return RunOperator("SignalFilterBank", {U32({25, 10, 4}), I16({5, 1}), I16({3, 7}),
                                            I16({0, start}), I16({0, 0}), I16({1, width})})
        .status()
        .message();
  };
  EXPECT_EQ(message(2, 2), "band 1 reads frequencies from 2, weights from 0, 2 of each");
  EXPECT_EQ(message(-1, 1), "band 1 reads frequencies from -1, weights from 0, 1 of each");
  EXPECT_EQ(message(0, 3), "band 1 reads frequencies from 0, weights from 0, 3 of each");
}

TEST(AudioFrontEnd, RootsRoundToNearest) {
  const auto roots = [](std::vector<std::uint64_t> x, std::int32_t bits) {
    return Signal<std::uint32_t>("SignalFilterBankSquareRoot",
                                 {Tensor::FromVector<std::uint64_t>({std::ssize(x)}, x),
                                  Tensor::Scalar<std::int32_t>(bits)});
  };
  EXPECT_EQ(roots({0, 1, 2, 3, 6, 7, 1000000}, 0),
            (std::vector<std::uint32_t>{0, 1, 1, 2, 2, 3, 1000}));
  EXPECT_EQ(roots({0xFFFFFFFFU, 0x100000000U, UINT64_MAX}, 0),
            (std::vector<std::uint32_t>{0xFFFF, 0x10000, 0xFFFFFFFFU}));
  EXPECT_EQ(roots({1000000}, 3), (std::vector<std::uint32_t>{125}));
}

TEST(AudioFrontEnd, NoiseIsFollowedSlowlyAndTakenAway) {
  const AttrMap attributes = {
      {"smoothing", std::int64_t{1}},           {"one_minus_smoothing", std::int64_t{3}},
      {"alternate_smoothing", std::int64_t{2}}, {"alternate_one_minus_smoothing", std::int64_t{2}},
      {"smoothing_bits", std::int64_t{1}},      {"spectral_subtraction_bits", std::int64_t{2}},
      {"min_signal_remaining", std::int64_t{1}}};
  // Raised by 2: 80 and 20; estimates (80 + 3 * 16) / 4 = 32 and (2 * 20 + 2 * 200) / 4 = 110.
  const std::vector<Tensor> inputs = {U32({40, 10}), U32({16, 200})};
  const char* op = "SignalFilterBankSpectralSubtraction";
  EXPECT_EQ(Signal<std::uint32_t>(op, inputs, attributes, 2), (std::vector<std::uint32_t>{24, 2}));
  EXPECT_EQ(Signal<std::uint32_t>(op, inputs, attributes, 2, 1),
            (std::vector<std::uint32_t>{32, 110}));
  AttrMap clamped = attributes;
  clamped.Set("clamping", std::int64_t{1});
  EXPECT_EQ(Signal<std::uint32_t>(op, inputs, clamped, 2, 1), (std::vector<std::uint32_t>{32, 20}));
}

TEST(AudioFrontEnd, LogarithmsAreNearTheRealOnes) {
  std::vector<std::uint32_t> x = {0, 1, 2, 3};
  for (std::uint32_t value = 5; value < 500'000'000; value = value * 3 / 2) x.push_back(value);
  const auto y = Signal<std::int16_t>(
      "SignalFilterBankLog", {U32(x)},
      {{"output_scale", std::int64_t{1600}}, {"input_correction_bits", std::int64_t{3}}});
  EXPECT_EQ(y[0], 0);
  // The table has lines between 128 points, which are drawn 128 times too flat.
  for (std::size_t i = 1; i < x.size(); ++i)
    EXPECT_NEAR(y[i], std::min(1600 * std::log(8.0 * x[i]), 32767.0), 6) << x[i];
}

TEST(AudioFrontEnd, FramesThatOverlapAddUp) {
  const Tensor frames = Tensor::FromVector<std::int16_t>({2, 3}, {30000, 2, 3, 10, 20, 30});
  const Tensor before = I16({10000, -2, 100});
  const AttrMap step = {{"frame_step", std::int64_t{1}}};
  // 30000 + 10000 does not fit; what is left, 0 and 103, moves one place on.
  EXPECT_EQ(Signal<std::int16_t>("SignalOverlapAdd", {frames, before}, step, 2),
            (std::vector<std::int16_t>{32767, 10}));
  EXPECT_EQ(Signal<std::int16_t>("SignalOverlapAdd", {frames, before}, step, 2, 1),
            (std::vector<std::int16_t>{123, 30, 0}));
}

TEST(AudioFrontEnd, WhatIsKeptOfFramesIsAsLongAsThey) {
  Graph graph(Standard());
  const ValueId x =
      graph.AddInput("x", Type::Tensor(DType::kF32, {Dim::Symbol("N"), Dim::Symbol("L")}));
  const ValueId before = graph.AddInput("b", Type::Tensor(DType::kF32, {Dim::Symbol("M")}));
  graph.AddOutput("y",
                  *graph.Add("SignalOverlapAdd", {x, before}, {{"frame_step", std::int64_t{2}}}));
  const auto run = [&](Dims frames, std::int64_t kept) {
    return Evaluate(graph, {Datum(*Tensor::Allocate(DType::kF32, std::move(frames))),
                            Datum(*Tensor::Allocate(DType::kF32, {kept}))})
        .ok();
  };
  EXPECT_TRUE(run({3, 4}, 4));
  EXPECT_TRUE(run({0, 4}, 4));
  EXPECT_FALSE(run({3, 4}, 3));
  EXPECT_FALSE(run({3, 1}, 1));
  EXPECT_FALSE(run({3, 0}, 0));
}

}  // namespace
}  // namespace athanor::ops
