// The float model as a teacher of its rounded form.
#pragma once

#include "quant/tune.h"

namespace athanor::tools {

// `real` and `source` outlive what is made. Its outputs on all samples are kept in memory.
quant::TeacherOf TeachBy(const Graph& real, std::size_t count, const quant::SampleSource& source,
                         int threads);

}  // namespace athanor::tools
