// What the screens of the workbench show about one model: each is a JSON document.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/session.h"
#include "tools/image_options.h"
#include "tools/open_model.h"
#include "workbench/site.h"

namespace athanor::tools {

struct ShownModel {
  ModelOptions model;
  ImageFlags image;                 // how pictures are read unless the page says otherwise
  std::vector<std::string> labels;  // of the classes; may be empty
  int threads = 0;
  std::string report;  // of quantize, a file or its folder; may be empty
};

// Opens the model and gives the screens, which share it: model, graph, plan, profile, passes, run,
// and quantized where there is a report.
// An error when the model cannot be read; what fails later is the answer of its screen.
Result<std::vector<workbench::Screen>> MakeScreens(const ShownModel& options);

}  // namespace athanor::tools
