// athanor codegen MODEL --target c99 -o DIR: an int8 network as C for a microcontroller; a model of
// tables as a C header, a SQL query or a formula.
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "codegen/program.h"
#include "codegen/table/tables.h"
#include "core/file.h"
#include "core/writing.h"
#include "tools/console.h"
#include "tools/open_model.h"
#include "tools/output_file.h"

namespace athanor::tools {
namespace {

namespace fs = std::filesystem;

struct CodegenOptions {
  ModelOptions model;
  codegen::Options program;
  std::string target = "c99", output;
  std::string fit;  // "ram=64K,flash=512K"
  codegen::SqlOptions sql;
};

// "64K" or "1M" or bytes.
Result<std::int64_t> ParseBytes(const std::string& text) {
  std::size_t end = 0;
  std::int64_t number = 0;
  while (end < text.size() && end < 12 && text[end] >= '0' && text[end] <= '9')
    number = number * 10 + (text[end++] - '0');
  const std::string unit = text.substr(end);
  const std::int64_t factor = unit.empty() ? 1 : unit == "K" ? 1024 : unit == "M" ? 1 << 20 : 0;
  if (end == 0 || factor == 0)
    return Error(ErrorCode::kUsage, "\"{}\" is no number of bytes; 65536, 64K or 1M are", text);
  return number * factor;
}

Status ReadFit(const std::string& fit, codegen::Options& options) {
  std::size_t at = 0;
  while (at < fit.size()) {
    const std::size_t end = std::min(fit.find(',', at), fit.size());
    const std::string item = fit.substr(at, end - at);
    at = end + 1;
    const std::size_t equals = item.find('=');
    const std::string key = item.substr(0, equals);
    if (equals == std::string::npos || (key != "ram" && key != "flash"))
      return Error(ErrorCode::kUsage, "--fit {}: ram=BYTES,flash=BYTES is expected", fit)
          .Fix("--fit ram=64K,flash=512K");
    ATH_TRY(const std::int64_t bytes, ParseBytes(item.substr(equals + 1)));
    (key == "ram" ? options.max_ram : options.max_flash) = bytes;
  }
  return {};
}

std::string Stem(const CodegenOptions& options) {
  std::string stem = fs::path(options.model.path).stem().string();
  const std::size_t colon = stem.find(':');
  if (colon != std::string::npos) stem = stem.substr(colon + 1);
  for (char& c : stem) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!fits) c = '_';
  }
  return stem.empty() || (stem[0] >= '0' && stem[0] <= '9') ? "model_" + stem : stem;
}

// A model of tables: one file.
Status RunTable(Graph graph, const CodegenOptions& options, const Common& common) {
  const std::string& name = options.program.name;
  const std::string ending = options.target == "c99" ? "h" : options.target;
  const std::string path = options.output.empty() ? name + "." + ending : options.output;
  const bool to_stdout = path == "-";
  if (to_stdout && common.json)
    return Error(ErrorCode::kUsage, "--json and the code cannot both go to the standard output")
        .Fix("-o " + name + "." + ending);
  if (!to_stdout) ATH_RETURN_IF_ERROR(CheckOutputOf(path, options.model.path));
  ATH_TRY(const codegen::RowProgram program, codegen::RowProgramOf(std::move(graph)));
  std::string text;
  if (options.target == "sql") {
    ATH_TRY(text, codegen::TableQuery(program, options.sql));
  } else if (options.target == "formula") {
    ATH_TRY(text, codegen::TableFormula(program));
  } else {
    ATH_TRY(text, codegen::TableHeader(program, name));
  }
  if (to_stdout) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    if (std::fflush(stdout) == 0) return {};
    return Error(ErrorCode::kFileWrite, "the standard output: {}", std::strerror(errno));
  }
  ATH_RETURN_IF_ERROR(WriteFileAtomically(path, std::string_view(text)));
  Say(common, "wrote {}", path);
  PrintJson(common, {{"files", {path}}, {"columns", program.columns.size()}});
  const std::string word = ShellWord(path);
  Next(common, options.target == "sql"       ? "sqlite3 -header -csv TABLE.db < " + word
               : options.target == "formula" ? "cat " + word
                                             : "gcc -std=c99 -Wall -fsyntax-only " + word);
  return {};
}

// A network: a folder of files.
Status RunNetwork(Graph graph, const CodegenOptions& options, const Common& common) {
  const fs::path folder =
      options.output.empty() ? fs::path(options.program.name + "_c99") : fs::path(options.output);
  ATH_TRY(const codegen::Program program, codegen::Generate(std::move(graph), options.program));
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return Error(ErrorCode::kFileWrite, "{}: {}", folder.string(), error.message());
  nlohmann::json files = nlohmann::json::array();
  for (const codegen::File& file : program.files) {
    const std::string path = (folder / file.name).string();
    ATH_RETURN_IF_ERROR(WriteFileAtomically(path, std::string_view(file.text)));
    Say(common, "wrote {}", path);
    files.push_back(path);
  }
  Say(common, "constants {} bytes (flash), activations {} bytes (RAM, at least {}), {} operations",
      program.constant_bytes, program.arena_bytes, program.arena_bound, program.operations);
  PrintJson(common, {{"files", std::move(files)},
                     {"constant_bytes", program.constant_bytes},
                     {"arena_bytes", program.arena_bytes},
                     {"arena_lower_bound", program.arena_bound},
                     {"operations", program.operations}});
  const std::string base = ShellWord((folder / options.program.name).string());
  Next(common,
       fmt::format("gcc -std=c99 -O2 {}.c {}_test.c -o self_test && ./self_test", base, base));
  return {};
}

Status Run(CodegenOptions options, const Common& common) {
  ATH_RETURN_IF_ERROR(ReadFit(options.fit, options.program));
  if (options.program.name.empty()) options.program.name = Stem(options);
  ATH_TRY(Graph graph, OpenModel(options.model));
  const bool is_table = options.target != "c99" || codegen::IsTableModel(graph);
  return OfWriting(is_table ? RunTable(std::move(graph), options, common)
                            : RunNetwork(std::move(graph), options, common));
}

}  // namespace

std::function<Status()> GenerateCode(Arguments app, const Common& common) {
  auto options = std::make_shared<CodegenOptions>();
  options->program.name = "";
  AddModelOptions(app, options->model);
  app.Option("--target", options->target,
             "c99: straight-line C of an int8 network, or a header that scores one row of a table; "
             "sql: a query for SQLite; formula: text that people read")
      .OneOf({"c99", "sql", "formula"})
      .ShowDefault();
  app.Option("-o,--output", options->output,
             "of a network the folder, NAME_c99 by default; of a model of tables the file, NAME.h, "
             "NAME.sql or NAME.formula");
  app.Option("--name", options->program.name, "of the files and functions; the model's name");
  app.Option("--fit", options->fit,
             "fail when it needs more, for example ram=64K,flash=512K (constants only)");
  app.Option("--self-tests", options->program.self_tests,
             "random inputs of the self-test; 0 writes none")
      .Range(0, 100)
      .ShowDefault();
  app.Option("--table", options->sql.table, "of sql: the table that is scored").ShowDefault();
  app.Option("--keep", options->sql.keep, "of sql: a column to copy before the answers").Repeated();
  return [options, &common] { return Run(*options, common); };
}

}  // namespace athanor::tools
