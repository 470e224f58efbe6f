// The text of the files of a generated program.
#pragma once

#include <set>

#include "codegen/arena.h"
#include "codegen/boundary.h"
#include "codegen/program.h"

namespace athanor::codegen {

struct Edge {
  std::string name;  // of the parameter
  std::int64_t bytes = 0;
};

// What the generator has gathered.
struct Source {
  Edges edges;
  std::vector<Edge> inputs, outputs;
  std::vector<Buffer> buffers;
  std::int64_t arena_bytes = 0, constant_bytes = 0, operations = 0;
  std::size_t steps = 0;          // nodes in order
  std::set<std::string> headers;  // of c99/
  std::string constants, calls;
};

// A name as C takes it; `otherwise` when nothing is left of it. Words of C get an underscore.
std::string CName(std::string_view name, std::string_view otherwise);
// The same for a parameter: other than the names and macros that the file itself makes.
std::string ParameterName(std::string_view name, std::string_view otherwise);
std::string Upper(std::string text);
// A name inside a comment of C: it cannot end the comment.
std::string CommentText(std::string_view name);

// NAME.h, NAME.c, NAME_test.c and REPORT.md. The answers of the self-test are computed here, by the
// references on `graph`: the network before it was optimised.
Result<std::vector<File>> WriteFiles(const Graph& graph, const Options& options,
                                     const Source& source, const Program& program);

}  // namespace athanor::codegen
