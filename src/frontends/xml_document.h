// XML documents of files that nobody vouches for.
#pragma once

#include <cstdint>
#include <pugixml.hpp>
#include <span>
#include <string_view>

#include "core/status.h"

namespace athanor {

// The first 4 KiB of a file that begins like XML; "" of another.
std::string_view XmlHead(std::span<const std::uint8_t> bytes);

// Refuses documents with a <!DOCTYPE>: entities are never expanded, nothing is fetched.
Status ReadXml(std::span<const std::uint8_t> bytes, pugi::xml_document& document);

}  // namespace athanor
