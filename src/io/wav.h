// Sound from RIFF WAVE files: PCM with 8, 16, 24 or 32 bits and floats with 32 or 64 bits.
#pragma once

#include <span>
#include <string>

#include "core/tensor.h"

namespace athanor::io {

struct Sound {
  Tensor samples;  // f32 [channels, frames], -1..1
  int rate = 0;    // frames per second; nothing is resampled
};

Result<Sound> ParseWav(std::span<const std::uint8_t> bytes,
                       std::size_t max_samples = std::size_t{1} << 28);
Result<Sound> ReadWav(const std::string& path);

}  // namespace athanor::io
