// Dates and times as text and as seconds: ISO 8601 without zones, the proleptic Gregorian calendar.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace athanor::ops {

enum class MomentKind : std::uint8_t { kDate, kTime, kDateTime };

// "2024-02-29", "13:45:07.25", "2024-02-29T13:45:07" (or a space for T; seconds may be left out; a
// trailing Z is allowed) as seconds since the start of 1970, or of the day for a time. Nothing when
// the text is none, or names a day that does not exist. Years are 0 to 9999.
std::optional<double> ParseMoment(std::string_view text, MomentKind kind);

// Seconds since 1970 at the start of a year.
double StartOfYear(std::int64_t year);

// strftime's %Y %y %m %d %H %I %M %S %p %j %a %A %b %B %e %F %T %%, English names. "" when the
// seconds are not finite or lie outside the years 0 to 9999.
std::string FormatMoment(double seconds, std::string_view pattern);

// Whether FormatMoment knows every letter of the pattern.
bool IsMomentPattern(std::string_view pattern);

}  // namespace athanor::ops
