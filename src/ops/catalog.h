// Every operator athanor knows.
#pragma once

#include "ir/op_def.h"

namespace athanor::ops {

// Made on first use; lives as long as the program. Thread-safe.
const Catalog& Standard();

// Custom operators are called DOMAIN::NAME, "my::Roll", as none of our own is.
Status CheckCustomName(std::string_view name);
// Adds an operator that a plug-in brings to Standard(), for the rest of the process
// (docs/adr/0043). Its name has passed CheckCustomName.
void AddCustom(OpDef op, std::unique_ptr<const CustomOp> code);

}  // namespace athanor::ops
