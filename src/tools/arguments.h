// What a verb takes on its command line: a face over CLI11, which costs seconds wherever it is
// compiled, and so is compiled in arguments.cpp and main.cpp alone.
#pragma once

#include <initializer_list>
#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace athanor::tools {

// One argument being described. A copy speaks of the same argument.
class Argument {
 public:
  explicit Argument(CLI::Option& option) : option_(&option) {}

  Argument Required();
  Argument Optional();  // takes back Required
  // --help names the value the variable had when this was called.
  Argument ShowDefault();
  // May be given several times; every value is kept, in order.
  Argument Repeated();
  // Takes exactly so many words: --dump NODE DIR.
  Argument Words(int count);
  // Takes all words up to the next option.
  Argument Several();
  Argument Excludes(Argument other);
  Argument Describe(const std::string& help);
  // `low` <= value <= `high`. T is int or double.
  template <class T>
  Argument Range(T low, T high);
  Argument Positive();
  Argument NonNegative();
  Argument OneOf(std::initializer_list<const char*> words);
  Argument OneOfAnyCase(std::initializer_list<const char*> words);

 private:
  CLI::Option* option_;
};

class Arguments {
 public:
  explicit Arguments(CLI::App& app) : app_(&app) {}

  // "name" is positional, "--name,-n" is not. `value` must live until the line is parsed. T: a
  // number, std::string, std::optional of one of them or std::vector<std::string>; another type
  // needs its line at the end of arguments.cpp.
  template <class T>
  Argument Option(const std::string& names, T& value, const std::string& help);
  Argument Flag(const std::string& names, bool& given, const std::string& help);
  // What many verbs take, in the same words: --threads, --device and --select.
  Argument Threads(int& threads);
  Argument Device(std::string& device);
  Argument Select(std::string& selector);
  // One that was added before, by its name.
  Argument Find(const std::string& name);

 private:
  CLI::App* app_;
};

}  // namespace athanor::tools
