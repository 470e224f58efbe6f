// Every operator athanor knows.
#pragma once

#include "ir/op_def.h"

namespace athanor::ops {

// Made on first use; lives as long as the program. Thread-safe.
const Catalog& Standard();

}  // namespace athanor::ops
