// Sections of the page that any way of quantising has.
#pragma once

#include "tools/quantize/report.h"

namespace athanor::tools {

// "top1", "the same class" or "the same energy".
std::string Metric(const QuantizeFindings& findings);
std::string KibibytesText(std::uint64_t bytes);

// What the command line said, and what was added to it.
Section AskedSection(const QuantizeFindings& findings);
// Each product's weights before and after.
Section WeightsSection(const QuantizeFindings& findings);
// What --auto tried.
Section LadderSection(const QuantizeFindings& findings);

}  // namespace athanor::tools
