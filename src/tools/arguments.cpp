#include "tools/arguments.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>
#include <vector>

namespace athanor::tools {
namespace {

// CLI11's own checks let NaN pass and print the largest number in 309 digits. `expected` is said to
// who gives another word, `kind` in --help.
template <class Check>
CLI::Validator NumberThat(Check check, std::string expected, std::string kind) {
  return CLI::Validator(
      [check, expected = std::move(expected)](std::string& text) -> std::string {
        double value = 0;
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, value);
        if (error == std::errc() && stop == end && check(value)) return "";
        return text + ": a number " + expected + " is expected";
      },
      std::move(kind));
}

}  // namespace

Argument Argument::Required() {
  option_->required();
  return *this;
}

Argument Argument::Optional() {
  option_->required(false);
  return *this;
}

Argument Argument::ShowDefault() {
  option_->capture_default_str();
  return *this;
}

Argument Argument::Repeated() {
  option_->take_all();
  return *this;
}

Argument Argument::Words(int count) {
  option_->expected(count);
  return *this;
}

Argument Argument::Several() {
  option_->expected(1, CLI::detail::expected_max_vector_size);
  return *this;
}

Argument Argument::Excludes(Argument other) {
  option_->excludes(other.option_);
  return *this;
}

Argument Argument::Describe(const std::string& help) {
  option_->description(help);
  return *this;
}

template <class T>
Argument Argument::Range(T low, T high) {
  const std::string ends[] = {CLI::detail::to_string(low), CLI::detail::to_string(high)};
  option_->check(NumberThat(
      [low, high](double value) {
        return value >= static_cast<double>(low) && value <= static_cast<double>(high);
      },
      "from " + ends[0] + " to " + ends[1],
      std::string(CLI::detail::type_name<T>()) + " in [" + ends[0] + " - " + ends[1] + "]"));
  return *this;
}
template Argument Argument::Range(int, int);
template Argument Argument::Range(double, double);

Argument Argument::Positive() {
  option_->check(NumberThat([](double value) { return value > 0; }, "above 0", "POSITIVE"));
  return *this;
}

Argument Argument::NonNegative() {
  option_->check(
      NumberThat([](double value) { return value >= 0; }, "of 0 or more", "NONNEGATIVE"));
  return *this;
}

Argument Argument::OneOf(std::initializer_list<const char*> words) {
  option_->check(CLI::IsMember(std::vector<std::string>(words.begin(), words.end())));
  return *this;
}

Argument Argument::OneOfAnyCase(std::initializer_list<const char*> words) {
  option_->check(
      CLI::IsMember(std::vector<std::string>(words.begin(), words.end()), CLI::ignore_case));
  return *this;
}

template <class T>
Argument Arguments::Option(const std::string& names, T& value, const std::string& help) {
  return Argument(*app_->add_option(names, value, help));
}
template Argument Arguments::Option(const std::string&, int&, const std::string&);
template Argument Arguments::Option(const std::string&, unsigned&, const std::string&);
template Argument Arguments::Option(const std::string&, long&, const std::string&);
template Argument Arguments::Option(const std::string&, unsigned long&, const std::string&);
template Argument Arguments::Option(const std::string&, float&, const std::string&);
template Argument Arguments::Option(const std::string&, double&, const std::string&);
template Argument Arguments::Option(const std::string&, std::optional<double>&, const std::string&);
template Argument Arguments::Option(const std::string&, std::string&, const std::string&);
template Argument Arguments::Option(const std::string&, std::vector<std::string>&,
                                    const std::string&);

Argument Arguments::Flag(const std::string& names, bool& given, const std::string& help) {
  return Argument(*app_->add_flag(names, given, help));
}

Argument Arguments::Threads(int& threads) {
  return Option("--threads", threads, "0: one per core").Range(0, 1024);
}

Argument Arguments::Device(std::string& device) {
  return Option("--device", device,
                "cpu, cpu.0 or cpu.2-5 (cores), reference, MULTI:A,B or HETERO:A,B")
      .ShowDefault();
}

Argument Arguments::Select(std::string& selector) {
  return Option("--select", selector,
                "who chooses between kernels: rule, a published order; cost, a model of this "
                "machine; learned, formulas fitted to measurements; measured, times that athanor "
                "tune or --budget took, as learned where there are none")
      .OneOf({"rule", "cost", "learned", "measured"})
      .ShowDefault();
}

Argument Arguments::Find(const std::string& name) { return Argument(*app_->get_option(name)); }

}  // namespace athanor::tools
