// athanor VERB MODEL ...: parses the command line, runs one verb, turns its Status into an exit
// code.
#include <cstdio>
#include <map>

#include "core/text.h"
#include "tools/verb.h"

namespace athanor::tools {
namespace {

constexpr Verb kVerbs[] = {
    {"conformance", "run a suite of model tests and count passed, failed, skipped", Conformance},
};

int Main(int argc, char** argv) {
  CLI::App app{"Athanor: takes a trained model and deploys it.", "athanor"};
  app.require_subcommand(1);
  Common common;
  std::function<Status()> chosen;
  std::map<CLI::App*, std::function<Status()>> actions;
  for (const Verb& verb : kVerbs) {
    CLI::App* sub = app.add_subcommand(verb.name, verb.summary);
    sub->add_flag("--json", common.json, "print one JSON document on stdout");
    sub->add_flag("--quiet,-q", common.quiet, "print results only");
    actions[sub] = verb.setup(*sub, common);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  const Status status = actions[app.get_subcommands().front()]();
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return Describe(status.code()).exit_code;
}

}  // namespace
}  // namespace athanor::tools

int main(int argc, char** argv) { return athanor::tools::Main(argc, argv); }
