#include "frontends/xml_document.h"

#include <algorithm>

namespace athanor {

std::string_view XmlHead(std::span<const std::uint8_t> bytes) {
  const std::string_view head(reinterpret_cast<const char*>(bytes.data()),
                              std::min<std::size_t>(bytes.size(), 4096));
  const std::size_t start = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  return start != std::string_view::npos && head[start] == '<' ? head : std::string_view();
}

Status ReadXml(std::span<const std::uint8_t> bytes, pugi::xml_document& document) {
  // Document types are kept only to be refused.
  const pugi::xml_parse_result parsed =
      document.load_buffer(bytes.data(), bytes.size(), pugi::parse_default | pugi::parse_doctype);
  for (const pugi::xml_node& child : document.children()) {
    if (child.type() == pugi::node_doctype) {
      return Error(ErrorCode::kUnsafeFile,
                   "the document has a <!DOCTYPE>: entities and external definitions are refused");
    }
  }
  if (!parsed)
    return Error(ErrorCode::kCorruptFile, "the XML is broken at byte {}: {}", parsed.offset,
                 parsed.description());
  return {};
}

}  // namespace athanor
