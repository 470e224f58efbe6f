// Small helpers for messages people read.
#pragma once

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

// 1536 -> "1.5 KiB"
std::string HumanBytes(double bytes);
// 4100000000 -> "4.10 G"
std::string HumanCount(double count);

}  // namespace athanor
