// Plug-ins: operators and converters that a shared library, or the program itself, brings along.
//
// What is added is there for the rest of the process (docs/adr/0043): a library that was loaded is
// not unloaded, since graphs hold on to its operators.
#pragma once

#include <string>

#include "athanor/plugin.h"
#include "core/status.h"

namespace athanor {

// Loads the shared library and adds what it brings. One that is loaded already is not added again.
Status LoadPlugin(const std::string& path);

// Adds the table, all of it or, when it fails, nothing.
Status AddPlugin(const ath_plugin& plugin);

}  // namespace athanor
