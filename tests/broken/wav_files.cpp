#include "corpus.h"
#include "io/wav.h"

namespace athanor::broken {
namespace {

struct Format {
  std::uint32_t kind = 1, channels = 1, rate = 16000, bits = 16;
};

class Writer {
 public:
  Writer& Tag(std::string_view text) {
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    return *this;
  }
  Writer& Put(std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return *this;
  }
  Writer& Riff() { return Tag("RIFF").Put(0, 4).Tag("WAVE"); }
  Writer& Fmt(const Format& f) {
    return Tag("fmt ")
        .Put(16, 4)
        .Put(f.kind, 2)
        .Put(f.channels, 2)
        .Put(f.rate, 4)
        .Put(0, 4)
        .Put(0, 2)
        .Put(f.bits, 2);
  }
  Writer& Data(std::uint32_t claimed, std::size_t real) {
    Tag("data").Put(claimed, 4);
    bytes_.insert(bytes_.end(), real, 100);
    return *this;
  }
  std::vector<std::uint8_t> Done() const { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

std::vector<std::uint8_t> Sound(const Format& format, std::size_t bytes = 48) {
  return Writer().Riff().Fmt(format).Data(static_cast<std::uint32_t>(bytes), bytes).Done();
}

Status Read(const std::string& path) { return io::ReadWav(path).status(); }

}  // namespace

Family WavFamily() {
  Family family = {"wav", {}, {}, Read};
  family.good = {
      {"pcm_8_mono", Sound({.bits = 8})},
      {"pcm_16_stereo", Sound({.channels = 2})},
      {"pcm_24", Sound({.bits = 24})},
      {"pcm_32", Sound({.bits = 32})},
      {"float_32", Sound({.kind = 3, .bits = 32})},
      {"float_64", Sound({.kind = 3, .bits = 64})},
      {"list_before_data",
       Writer().Riff().Tag("LIST").Put(3, 4).Put(0, 4).Fmt({}).Data(4, 4).Done()},
  };
  for (const File& good : family.good) {
    for (File& bad : Damage(good)) family.bad.push_back(std::move(bad));
  }
  const std::vector<File> mistakes = {
      {"empty", {}, true},
      {"only_riff", Writer().Riff().Done(), true},
      {"no_format", Writer().Riff().Data(8, 8).Done(), true},
      {"no_data", Writer().Riff().Fmt({}).Done(), true},
      {"no_wave", Writer().Tag("RIFF").Put(0, 4).Tag("AVI ").Fmt({}).Data(8, 8).Done(), true},
      {"format_short", Writer().Riff().Tag("fmt ").Put(4, 4).Put(0, 4).Data(8, 8).Done(), true},
      {"format_beyond", Writer().Riff().Tag("fmt ").Put(0xFFFFFFFF, 4).Done(), true},
      {"chunk_max", Writer().Riff().Tag("LIST").Put(0xFFFFFFFF, 4).Fmt({}).Done(), true},
      {"chunks_empty", Writer().Riff().Tag("LIST").Put(0, 4).Tag("LIST").Put(0, 4).Done(), true},
      {"kind_unknown", Sound({.kind = 17, .bits = 4}), true},
      {"bits_0", Sound({.bits = 0}), true},
      {"bits_12", Sound({.bits = 12}), true},
      {"bits_65535", Sound({.bits = 65535}), true},
      {"float_16", Sound({.kind = 3}), true},
      {"channels_0", Sound({.channels = 0}), true},
      {"channels_65535", Sound({.channels = 65535}), false},
      {"rate_0", Sound({.rate = 0}), true},
      {"rate_negative", Sound({.rate = 0x80000000}), true},
      {"data_4_gib", Writer().Riff().Fmt({}).Data(0xFFFFFFFF, 8).Done(), false},
      {"data_odd", Sound({.channels = 2}, 7), false},
  };
  family.bad.insert(family.bad.end(), mistakes.begin(), mistakes.end());
  return family;
}

}  // namespace athanor::broken
