// Operators and converters in Python: the compiled part of athanor/plugins.py.
#pragma once

#include <nanobind/nanobind.h>

void DefinePlugins(nanobind::module_& m);
