#include "tools/arguments.h"

#include <CLI/CLI.hpp>
#include <optional>
#include <vector>

namespace athanor::tools {

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
  option_->check(CLI::Range(low, high));
  return *this;
}
template Argument Argument::Range(int, int);
template Argument Argument::Range(double, double);

Argument Argument::Positive() {
  option_->check(CLI::PositiveNumber);
  return *this;
}

Argument Argument::NonNegative() {
  option_->check(CLI::NonNegativeNumber);
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
