#include "tools/progress.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace athanor::tools {
namespace {

using namespace std::chrono_literals;

constexpr auto kSilent = 1s;
constexpr auto kBarInterval = 200ms;
constexpr auto kPlainInterval = 5s;
constexpr int kBarWidth = 28;

std::string Duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace

Progress::Progress(const Common& common, std::string what, std::int64_t total, Ticker ticker)
    : what_(std::move(what)), total_(total) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  if (common.progress == "bar" || (common.progress == "auto" && terminal)) style_ = Style::kBar;
  if (common.progress == "plain" || (common.progress == "auto" && !terminal))
    style_ = Style::kPlain;
  if (common.quiet && common.progress == "auto") style_ = Style::kOff;
  if (style_ != Style::kOff && ticker == Ticker::kOn) ticker_ = std::thread([this] { Tick(); });
}

Progress::~Progress() { Finish(); }

void Progress::Advance(std::int64_t by) {
  done_.fetch_add(by, std::memory_order_relaxed);
  advanced_.store(std::chrono::duration<double>(Clock::now() - start_).count(),
                  std::memory_order_relaxed);
  if (style_ == Style::kOff || ticker_.joinable()) return;
  const std::scoped_lock lock(mutex_);
  Show(Clock::now());
}

void Progress::Finish() {
  {
    const std::scoped_lock lock(mutex_);
    if (finished_) return;
    finished_ = true;
    if (shown_ && style_ == Style::kBar) std::fprintf(stderr, "\r%*s\r", 78, "");
  }
  wake_.notify_all();
  if (ticker_.joinable()) ticker_.join();
}

void Progress::Tick() {
  std::unique_lock lock(mutex_);
  while (!finished_) {
    wake_.wait_for(lock, kBarInterval);
    if (!finished_) Show(Clock::now());
  }
}

void Progress::Show(Clock::time_point now) {
  const bool bar = style_ == Style::kBar;
  const auto wait = !shown_
                        ? Clock::duration(kSilent)
                        : (bar ? Clock::duration(kBarInterval) : Clock::duration(kPlainInterval));
  if (now - last_ < wait || finished_) return;
  last_ = now;
  shown_ = true;
  const std::string line = Line(std::chrono::duration<double>(now - start_).count());
  if (bar) {
    std::fprintf(stderr, "\r%-78.78s", line.c_str());
    std::fflush(stderr);
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
}

std::string Progress::Line(double seconds) const {
  const std::int64_t done = std::min(done_.load(std::memory_order_relaxed), total_);
  if (total_ <= 0) return fmt::format("{}: {}", what_, Duration(seconds));
  const double share = static_cast<double>(done) / static_cast<double>(total_);
  std::string line = what_ + ": ";
  if (style_ == Style::kBar) {
    const auto full = static_cast<std::size_t>(share * kBarWidth);
    line += "[" + std::string(full, '#') + std::string(kBarWidth - full, '.') + "] ";
  }
  line += fmt::format("{}/{} ({:.0f}%)", done, total_, 100 * share);
  // An estimate after the first item; short waits need none. It is made when an item is done and
  // counts down from then on: one that knew of the time since would rise until the next.
  const double advanced = advanced_.load(std::memory_order_relaxed);
  const double left = done > 0 ? std::max(0.0, advanced / share - seconds) : 0;
  if (seconds + left > 10 && done > 0) line += ", ETA " + Duration(left);
  return line;
}

}  // namespace athanor::tools
