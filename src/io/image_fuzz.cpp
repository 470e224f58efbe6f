// Fuzz target: any bytes as a picture.
#include "io/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const athanor::io::ImageOptions options = {.colour = athanor::io::Colour::kGrey,
                                             .max_pixels = std::int64_t{1} << 20};
  const auto image = athanor::io::DecodeImage({data, size}, options);
  (void)image;
  return 0;
}
