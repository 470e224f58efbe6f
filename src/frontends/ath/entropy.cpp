// Layout, little-endian: the number of different values less one (u8); for each, in ascending
// order, the value (u8) and its frequency less one (u16); the two states that decoding begins with
// (u32); the bytes that it reads. Values take turns between the states, so that a processor works
// on both at once.
#include "frontends/ath/entropy.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace athanor::ath {
namespace {

constexpr int kBits = 12;  // frequencies are shares of 2^12
constexpr std::uint32_t kWhole = 1U << kBits;
constexpr std::uint32_t kLeastState = 1U << 23;  // a state lies in [2^23, 2^31)

struct Symbols {
  std::array<std::uint32_t, 256> frequency = {};  // 0: the value does not occur
  std::array<std::uint32_t, 256> before = {};     // frequencies of smaller values

  void Sum() {
    std::uint32_t sum = 0;
    for (std::size_t value = 0; value < 256; ++value) {
      before[value] = sum;
      sum += frequency[value];
    }
  }
};

// Shares of the whole, none 0. What rounding leaves over or lacks is given to, or taken from, the
// commonest, whom it hurts least.
Symbols Measure(std::span<const std::uint8_t> bytes) {
  std::array<std::uint64_t, 256> counts = {};
  for (const std::uint8_t byte : bytes) ++counts[byte];
  Symbols symbols;
  std::uint32_t sum = 0;
  for (std::size_t value = 0; value < 256; ++value) {
    if (counts[value] == 0) continue;
    const double share = static_cast<double>(counts[value]) / static_cast<double>(bytes.size());
    symbols.frequency[value] = std::max(1U, static_cast<std::uint32_t>(share * kWhole));
    sum += symbols.frequency[value];
  }
  while (sum != kWhole) {
    std::uint32_t& most = *std::ranges::max_element(symbols.frequency);
    const std::uint32_t step = sum < kWhole ? kWhole - sum : std::min(sum - kWhole, (most + 1) / 2);
    most = sum < kWhole ? most + step : most - step;
    sum = sum < kWhole ? sum + step : sum - step;
  }
  symbols.Sum();
  return symbols;
}

template <class T>
void Append(T value, std::vector<std::uint8_t>& out) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

// Reads a hostile code from its begin; `ended` once there was less than asked for.
struct Bytes {
  std::span<const std::uint8_t> left;
  bool ended = false;

  std::uint32_t Take(std::size_t count) {
    if (left.size() < count) {
      ended = true;
      return 0;
    }
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value |= std::uint32_t{left[i]} << (8 * i);
    left = left.subspan(count);
    return value;
  }
};

Status Damaged(std::string_view what) {
  return Error(ErrorCode::kCorruptFile, "the code of the weights is damaged: {}", what);
}

Result<Symbols> ReadSymbols(Bytes& from) {
  Symbols symbols;
  const std::uint32_t count = from.Take(1) + 1;
  std::uint32_t sum = 0;
  std::int64_t last = -1;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto value = static_cast<std::int64_t>(from.Take(1));
    const std::uint32_t frequency = from.Take(2) + 1;
    if (from.ended) return Damaged("its table ends too early");
    if (value <= last || frequency > kWhole) return Damaged("its table is none");
    symbols.frequency[static_cast<std::size_t>(value)] = frequency;
    sum += frequency;
    last = value;
  }
  if (sum != kWhole) return Damaged("its frequencies do not add up");
  symbols.Sum();
  return symbols;
}

}  // namespace

std::vector<std::uint8_t> EntropyCode(std::span<const std::uint8_t> bytes) {
  std::vector<std::uint8_t> code;
  if (bytes.empty()) return code;
  const Symbols symbols = Measure(bytes);
  // The last byte first: decoding runs the other way.
  std::vector<std::uint8_t> backwards;
  std::uint32_t states[2] = {kLeastState, kLeastState};
  for (std::size_t i = bytes.size(); i-- > 0;) {
    const std::uint32_t frequency = symbols.frequency[bytes[i]];
    std::uint32_t& state = states[i % 2];
    const std::uint64_t limit = std::uint64_t{kLeastState >> kBits << 8} * frequency;
    for (; state >= limit; state >>= 8) backwards.push_back(static_cast<std::uint8_t>(state));
    state = (state / frequency << kBits) + state % frequency + symbols.before[bytes[i]];
  }
  const auto used = std::ranges::count_if(symbols.frequency, [](auto f) { return f > 0; });
  Append(static_cast<std::uint8_t>(used - 1), code);
  for (std::size_t value = 0; value < 256; ++value) {
    if (symbols.frequency[value] == 0) continue;
    Append(static_cast<std::uint8_t>(value), code);
    Append(static_cast<std::uint16_t>(symbols.frequency[value] - 1), code);
  }
  Append(states[0], code);
  Append(states[1], code);
  code.insert(code.end(), backwards.rbegin(), backwards.rend());
  return code;
}

Status EntropyDecode(std::span<const std::uint8_t> code, std::span<std::uint8_t> bytes) {
  if (bytes.empty()) return code.empty() ? Status() : Damaged("nothing was to be coded");
  Bytes from = {code};
  ATH_TRY(const Symbols symbols, ReadSymbols(from));
  std::array<std::uint8_t, kWhole> value_at = {};
  for (std::size_t value = 0; value < 256; ++value) {
    std::fill_n(value_at.begin() + symbols.before[value], symbols.frequency[value],
                static_cast<std::uint8_t>(value));
  }
  std::uint32_t states[2] = {from.Take(4), from.Take(4)};
  for (const std::uint32_t state : states) {
    if (state < kLeastState || state >= kLeastState << 8) return Damaged("it begins with no state");
  }
  const std::uint8_t *next = from.left.data(), *const end = next + from.left.size();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::uint32_t& state = states[i % 2];
    const std::uint32_t place = state % kWhole;
    const std::uint8_t value = value_at[place];
    bytes[i] = value;
    state = symbols.frequency[value] * (state >> kBits) + place - symbols.before[value];
    while (state < kLeastState) {
      if (next == end) return Damaged("it ends too early");
      state = state << 8 | *next++;
    }
  }
  if (next != end || states[0] != kLeastState || states[1] != kLeastState)
    return Damaged("it does not end where the weights do");
  return {};
}

}  // namespace athanor::ath
