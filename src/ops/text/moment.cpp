#include "ops/text/moment.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace athanor::ops {
namespace {

constexpr double kDay = 86400;
constexpr std::array<std::string_view, 12> kMonths = {
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};

bool IsLeap(std::int64_t year) { return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0; }

std::int64_t DaysOfMonth(std::int64_t year, std::int64_t month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && IsLeap(year) ? 1 : 0);
}

// Days from the start of year 0 to the start of `year`.
std::int64_t DaysBeforeYear(std::int64_t year) {
  if (year <= 0) return 0;
  const std::int64_t last = year - 1;
  return year * 365 + last / 4 - last / 100 + last / 400 + 1;  // year 0 is a leap year
}

// Takes exactly `digits` digits off the front.
std::optional<std::int64_t> Take(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  std::int64_t value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool TakeMark(std::string_view& text, std::string_view marks) {
  if (text.empty() || marks.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<double> TakeDate(std::string_view& text) {
  const auto year = Take(text, 4);
  if (!year || !TakeMark(text, "-")) return std::nullopt;
  const auto month = Take(text, 2);
  if (!month || *month < 1 || *month > 12 || !TakeMark(text, "-")) return std::nullopt;
  const auto day = Take(text, 2);
  if (!day || *day < 1 || *day > DaysOfMonth(*year, *month)) return std::nullopt;
  std::int64_t days = DaysBeforeYear(*year) - DaysBeforeYear(1970) + *day - 1;
  for (std::int64_t m = 1; m < *month; ++m) days += DaysOfMonth(*year, m);
  return static_cast<double>(days) * kDay;
}

std::optional<double> TakeTime(std::string_view& text) {
  const auto hour = Take(text, 2);
  if (!hour || *hour > 23 || !TakeMark(text, ":")) return std::nullopt;
  const auto minute = Take(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  double seconds = static_cast<double>(*hour * 3600 + *minute * 60);
  if (!TakeMark(text, ":")) return seconds;
  const auto whole = Take(text, 2);
  if (!whole || *whole > 59) return std::nullopt;
  seconds += static_cast<double>(*whole);
  if (!TakeMark(text, ".")) return seconds;
  double unit = 1;
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  while (const auto digit = Take(text, 1)) seconds += static_cast<double>(*digit) * (unit /= 10);
  return seconds;
}

struct Calendar {
  std::int64_t year = 0, month = 0, day = 0, day_of_year = 0, weekday = 0, second = 0;
};

std::optional<Calendar> CalendarOf(double seconds) {
  const double since = std::floor(seconds) + static_cast<double>(DaysBeforeYear(1970)) * kDay;
  if (!(since >= 0) || since >= static_cast<double>(DaysBeforeYear(10000)) * kDay)
    return std::nullopt;
  const auto whole = static_cast<std::int64_t>(since);
  std::int64_t days = whole / 86400;
  Calendar calendar = {.weekday = (days + 6) % 7, .second = whole % 86400};  // 0000-01-01: Saturday
  calendar.year = days / 366;
  while (DaysBeforeYear(calendar.year + 1) <= days) ++calendar.year;
  days -= DaysBeforeYear(calendar.year);
  calendar.day_of_year = days + 1;
  for (calendar.month = 1; days >= DaysOfMonth(calendar.year, calendar.month); ++calendar.month)
    days -= DaysOfMonth(calendar.year, calendar.month);
  calendar.day = days + 1;
  return calendar;
}

std::string FormatLetter(const Calendar& at, char letter) {
  const std::int64_t hour = at.second / 3600, minute = at.second / 60 % 60;
  const std::string_view month = kMonths[static_cast<std::size_t>(at.month - 1)];
  const std::string_view weekday = kWeekdays[static_cast<std::size_t>(at.weekday)];
  switch (letter) {
    case 'Y':
      return fmt::format("{:04}", at.year);
    case 'y':
      return fmt::format("{:02}", at.year % 100);
    case 'm':
      return fmt::format("{:02}", at.month);
    case 'd':
      return fmt::format("{:02}", at.day);
    case 'e':
      return fmt::format("{:2}", at.day);
    case 'j':
      return fmt::format("{:03}", at.day_of_year);
    case 'H':
      return fmt::format("{:02}", hour);
    case 'I':
      return fmt::format("{:02}", (hour + 11) % 12 + 1);
    case 'M':
      return fmt::format("{:02}", minute);
    case 'S':
      return fmt::format("{:02}", at.second % 60);
    case 'p':
      return hour < 12 ? "AM" : "PM";
    case 'A':
      return std::string(weekday);
    case 'a':
      return std::string(weekday.substr(0, 3));
    case 'B':
      return std::string(month);
    case 'b':
      return std::string(month.substr(0, 3));
    case 'F':
      return fmt::format("{:04}-{:02}-{:02}", at.year, at.month, at.day);
    case 'T':
      return fmt::format("{:02}:{:02}:{:02}", hour, minute, at.second % 60);
    default:
      return "%";
  }
}

}  // namespace

std::optional<double> ParseMoment(std::string_view text, MomentKind kind) {
  double seconds = 0;
  if (kind != MomentKind::kTime) {
    const std::optional<double> date = TakeDate(text);
    if (!date) return std::nullopt;
    seconds += *date;
    // A date may stand for the start of its day, and a moment for its date.
    if (text.empty()) return seconds;
    if (!TakeMark(text, "T ")) return std::nullopt;
  }
  const std::optional<double> time = TakeTime(text);
  if (!time) return std::nullopt;
  TakeMark(text, "Z");
  if (!text.empty()) return std::nullopt;
  return kind == MomentKind::kDate ? seconds : seconds + *time;
}

double StartOfYear(std::int64_t year) {
  return static_cast<double>(DaysBeforeYear(year) - DaysBeforeYear(1970)) * kDay;
}

std::string FormatMoment(double seconds, std::string_view pattern) {
  const std::optional<Calendar> at = CalendarOf(seconds);
  if (!at) return "";
  std::string text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '%' && i + 1 < pattern.size()) {
      text += FormatLetter(*at, pattern[++i]);
    } else {
      text += pattern[i];
    }
  }
  return text;
}

bool IsMomentPattern(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') continue;
    constexpr std::string_view kLetters = "YymdejHIMSpAaBbFT%";
    if (++i == pattern.size() || kLetters.find(pattern[i]) == std::string_view::npos) return false;
  }
  return true;
}

}  // namespace athanor::ops
