// Fuzz target: any bytes as a picture.
#include "codec/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const athanor::codec::ImageOptions options = {.colour = athanor::codec::Colour::kGrey,
                                                .max_pixels = std::int64_t{1} << 20};
  const auto image = athanor::codec::DecodeImage({data, size}, options);
  (void)image;
  return 0;
}
