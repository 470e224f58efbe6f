// What to do where `compare` or `convert` found that outputs differ.
#pragma once

#include <string>
#include <vector>

#include "tools/verb.h"
#include "verify/parity.h"

namespace athanor::tools {

// `bisect`: "bisect A B ...", to which come options that this call was given and tolerances with
// which it judges as was judged here; of an output that is off by no more than rounding first the
// tolerance that lets it pass.
std::string DifferenceAdvice(const Common& common, const std::string& bisect,
                             const std::vector<OutputDifference>& outputs,
                             const Tolerance& tolerance);

}  // namespace athanor::tools
