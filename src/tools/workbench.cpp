// athanor workbench MODEL: the model in a browser, until Ctrl-C.
#include "workbench/workbench.h"

#include <spawn.h>
#include <unistd.h>

#include <cstdlib>

#include "core/file.h"
#include "tools/console.h"
#include "tools/results.h"
#include "tools/scratch_folder.h"
#include "tools/stop_signal.h"
#include "tools/verb.h"
#include "tools/workbench_screens.h"

namespace athanor::tools {
namespace {

struct WorkbenchOptions {
  ShownModel model;
  std::string labels;
  workbench::WorkbenchOptions server;
  bool no_open = false;
};

// Opens the page in the reader's browser where there is one. The address goes through a file that
// only this user can read: other users see the arguments of every process, and it holds the token.
Status OpenBrowser(const std::string& url, const ScratchFolder& folder) {
  if (std::getenv("DISPLAY") == nullptr && std::getenv("WAYLAND_DISPLAY") == nullptr) return {};
  std::string page = folder.path() + "/open.html";
  ATH_RETURN_IF_ERROR(WriteFileAtomically(
      page, fmt::format("<!DOCTYPE html><meta charset=\"utf-8\"><title>Athanor</title>"
                        "<meta http-equiv=\"refresh\" content=\"0; url={}\">\n",
                        url)));
  std::string program = "xdg-open";
  char* arguments[] = {program.data(), page.data(), nullptr};
  pid_t child = 0;
  // Without the program there is still the address on the terminal.
  (void)posix_spawnp(&child, program.c_str(), nullptr, nullptr, arguments, environ);
  return {};
}

Status Run(WorkbenchOptions options, const Common& common) {
  if (!options.labels.empty()) {
    ATH_TRY(options.model.labels, ReadLabels(options.labels));
  }
  StopSignal stop;
  ATH_TRY(options.server.screens, MakeScreens(options.model));
  ATH_TRY(const auto bench, workbench::Workbench::Start(std::move(options.server)));
  Say(common, "workbench  {}", bench->url());
  Say(common, "the address holds a token: who has it can run the model. Ctrl-C ends");
  PrintJson(common, {{"model", options.model.model.path},
                     {"url", bench->url()},
                     {"port", bench->port()},
                     {"token", bench->token()},
                     {"pid", getpid()}});
  std::fflush(nullptr);
  ATH_TRY(const ScratchFolder folder, ScratchFolder::Make());
  if (!options.no_open && isatty(STDOUT_FILENO) != 0)
    ATH_RETURN_IF_ERROR(OpenBrowser(bench->url(), folder));
  stop.Wait();
  return {};
}

}  // namespace

std::function<Status()> OpenWorkbench(Arguments app, const Common& common) {
  auto options = std::make_shared<WorkbenchOptions>();
  AddModelOptions(app, options->model.model);
  AddImageOptions(app, options->model.image);
  app.Option("--labels", options->labels, "class names, one per line");
  app.Option("--report", options->model.report,
             "what quantize --report wrote, a folder or report.json: shown as a view");
  app.Threads(options->model.threads);
  app.Option("--port", options->server.port, "0: any free one").Range(0, 65535).ShowDefault();
  app.Option("--host", options->server.host, "the address to listen on; 0.0.0.0 for all")
      .ShowDefault();
  app.Flag("--no-open", options->no_open, "do not open a browser");
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
