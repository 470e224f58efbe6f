// athanor convert --partition: what is read here as models, the rest as files for another engine.
#pragma once

#include "frontends/save.h"
#include "tools/open_model.h"

namespace athanor::tools {

// Writes OUT without its ending as STEM.N.ENDING for each stage that is read, STEM.N.onnx for the
// others, and STEM.stages.json, which says in what order they run. `out` names the format.
Status WriteStages(const ModelOptions& model, const std::string& out, const SaveOptions& save,
                   const Common& common);

}  // namespace athanor::tools
