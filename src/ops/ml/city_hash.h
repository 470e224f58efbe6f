// CityHash64 of version 1.0 (Pike and Alakuijala, Google, 2011), whose values differ from those of
// later versions: CatBoost knows categories by it.
#pragma once

#include <cstdint>
#include <string_view>

namespace athanor::ops {

// Thread-safe.
std::uint64_t CityHash64(std::string_view text);

}  // namespace athanor::ops
