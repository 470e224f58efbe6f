// Writes docs/ops from the operator definitions: athanor_ops_docs FOLDER. Run by `./dev docs`.
#include <cstdio>
#include <filesystem>

#include "core/file.h"
#include "ops/catalog.h"

namespace athanor {
namespace {

// Table cells may not hold a bar or a line break.
std::string Cell(std::string text) {
  for (std::size_t at = 0; (at = text.find_first_of("|\n", at)) != std::string::npos; at += 2) {
    text.replace(at, 1, text[at] == '|' ? "\\|" : "  ");
  }
  return text;
}

std::string PortTable(const std::string& title, const std::vector<Port>& ports) {
  if (ports.empty()) return "";
  std::string text = fmt::format("\n## {}\n\n| name | | what |\n|---|---|---|\n", title);
  for (const Port& port : ports) {
    const std::string flag = port.flag == kOptionalPort ? "optional"
                             : port.flag == kVariadicPort
                                 ? fmt::format("{} or more", port.min_count)
                                 : "";
    text += fmt::format("| `{}` | {} | {} |\n", port.name, flag, Cell(port.doc));
  }
  return text;
}

std::string AttributeTable(const OpDef& op) {
  if (op.attributes.empty()) return "";
  std::string text = "\n## Attributes\n\n| name | kind | default | what |\n|---|---|---|---|\n";
  for (const AttrSpec& spec : op.attributes) {
    const std::string otherwise = spec.required        ? "required"
                                  : spec.default_value ? "`" + Print(*spec.default_value) + "`"
                                                       : "absent";
    text += fmt::format("| `{}` | {} | {} | {} |\n", spec.name, Name(spec.kind), otherwise,
                        Cell(spec.doc));
  }
  return text;
}

std::string Traits(const OpDef& op) {
  std::string text;
  const auto add = [&](Trait trait, const char* name) {
    if (op.Has(trait)) text += (text.empty() ? "" : ", ") + std::string(name);
  };
  add(kPure, "pure");
  add(kElementwise, "elementwise");
  add(kCommutative, "commutative");
  add(kDataMovement, "moves data only");
  add(kRandom, "random");
  return text;
}

std::string Page(const OpDef& op) {
  std::string text = fmt::format("# {}\n\n{}\n\nTraits: {}.\n", op.name, op.summary, Traits(op));
  text += PortTable("Inputs", op.inputs) + PortTable("Outputs", op.outputs) + AttributeTable(op);
  if (!op.bodies.empty()) {
    text += "\n## Sub-graphs\n\n";
    for (const std::string& body : op.bodies) text += fmt::format("* `{}`\n", body);
  }
  return text;
}

Status WriteAll(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  std::string index = fmt::format(
      "# Operators\n\nMade by `./dev docs` from the definitions in `src/ops`: {} operators.\n\n| "
      "operator | what |\n|---|---|\n",
      ops::Standard().ops().size());
  for (const OpDef& op : ops::Standard().ops()) {
    ATH_RETURN_IF_ERROR(WriteFileAtomically(folder / (op.name + ".md"), Page(op)));
    index += fmt::format("| [{}]({}.md) | {} |\n", op.name, op.name, Cell(op.summary));
  }
  return WriteFileAtomically(folder / "README.md", index);
}

}  // namespace
}  // namespace athanor

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: athanor_ops_docs FOLDER\n");
    return 1;
  }
  const athanor::Status status = athanor::WriteAll(argv[1]);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : athanor::Describe(status.code()).exit_code;
}
