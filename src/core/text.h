// Small helpers for messages people read.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace athanor {

// The candidate nearest to `name` by edit distance, or "" when none is near enough to be meant.
std::string Nearest(std::string_view name, std::span<const std::string> candidates);

// " (did you mean \"x\"?)" or "".
std::string DidYouMean(std::string_view name, std::span<const std::string> candidates);

std::string Join(std::span<const std::string> parts, std::string_view separator);

// In double quotes; quotes, backslashes and bytes outside printable ASCII are escaped (\xHH).
std::string Quote(std::string_view text);
// Reads what Quote wrote, from the opening quote at `position`, which moves behind the closing one.
// Nothing when the quotes do not close or an escape is not known.
std::optional<std::string> Unquote(std::string_view text, std::size_t& position);

std::string EncodeBase64(std::span<const std::uint8_t> bytes);
// Nothing when the text is not base64 with its padding.
std::optional<std::vector<std::uint8_t>> DecodeBase64(std::string_view text);

// 1536 -> "1.5 KiB"
std::string HumanBytes(double bytes);
// 4100000000 -> "4.10 G"
std::string HumanCount(double count);

}  // namespace athanor
