// Options that would have no effect beside others.
#pragma once

#include "tools/quantize/options.h"

namespace athanor::tools {

// An error that names both where an option was given that another one leaves out, or one that needs
// another. Looks at the line alone; see CheckPictureOptions.
Status CheckUnused(const CommandLine& line, const QuantizeRequest& request);

// Of --mean, --std and --scale: samples that are no pictures go in as they are.
Status CheckPictureOptions(const CommandLine& line, const QuantizeRequest& request,
                           bool reads_pictures);

}  // namespace athanor::tools
