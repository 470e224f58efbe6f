// Changes of the float graph that leave what it computes as it is and make it easier to quantise.
#pragma once

#include "quant/candidates.h"
#include "quant/observe.h"

namespace athanor::quant {

struct EqualizeReport {
  std::size_t pairs = 0;     // of products that share scales now
  std::size_t clips = 0;     // Clip(0, c) that became Relu
  std::size_t limits = 0;    // of these: with a limit for each channel behind it
  std::size_t absorbed = 0;  // channels whose bias moved on
  std::size_t spread = 0;    // channels that fill their tensor's range better now
  std::size_t smoothed = 0;  // normalisations whose outlying channels went into weights
};

// Cross-layer equalisation (Nagel et al., "Data-Free Quantization", 2019, section 4.1): where the
// output of one product reaches only the data of another, through nothing but operators that let a
// positive factor pass, each channel's weights are divided by s in the first and multiplied by s in
// the second, s = sqrt(largest of the first / largest of the second), until that changes nothing.
// It helps where all channels share one scale. A Clip(0, c) between them becomes a Relu and a Min
// with c / s of each channel.
Status Equalize(Graph& graph, EqualizeReport& report);

// The same paper, section 4.1.3: what a channel of the first product never falls below, its mean
// less three deviations, moves from its bias into the bias of the second. Only where the second
// has no pads.
Status AbsorbHighBias(Graph& graph, std::size_t count, const SampleSource& source, int threads,
                      EqualizeReport& report);

// Where products feed others through what lets factors pass (see FindChannelGroups), channels that
// leave most of the range of the activations unused are multiplied by up to what fills it, and the
// weights that read them are divided by that: the 8 bits of the activations then serve each
// channel, the limit c of a Clip(0, c) is reached as seldom as before, and what is computed is the
// same on the samples. Products of many channels would lose in their weights what the activations
// win: there the factor is the one at which both errors are alike.
Status Spread(Graph& graph, std::size_t count, const SampleSource& source, int threads,
              EqualizeReport& report);

// SmoothQuant (Xiao et al., 2023): where a LayerNormalization is read by matrix products alone,
// s = max|x|^strength / max|w|^(1 - strength) of each channel moves from its scale and bias into
// their weights.
Status Smooth(Graph& graph, std::size_t count, const SampleSource& source, double strength,
              int threads, EqualizeReport& report);

}  // namespace athanor::quant
