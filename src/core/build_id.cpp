#include "core/build_id.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstring>
#include <span>

namespace athanor {
namespace {

// The program or library in memory that holds `inside`, while it is looked for; then its digest.
struct Search {
  ElfW(Addr) inside = 0;
  std::string id = {};
};

// A note is a header, its name and its content, each completed to 4 bytes.
std::string BuildIdAmong(const std::uint8_t* note, std::size_t size) {
  const auto whole = [](std::size_t bytes) { return (bytes + 3) / 4 * 4; };
  while (size > sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) header;
    std::memcpy(&header, note, sizeof(header));
    const std::size_t name = sizeof(header), content = name + whole(header.n_namesz);
    const std::size_t end = content + whole(header.n_descsz);
    if (end > size) return "";
    if (header.n_type == NT_GNU_BUILD_ID && std::memcmp(note + name, "GNU", 4) == 0) {
      std::string id;
      for (const std::uint8_t byte : std::span(note + content, header.n_descsz))
        id += fmt::format("{:02x}", byte);
      return id;
    }
    note += end;
    size -= end;
  }
  return "";
}

int Look(dl_phdr_info* object, std::size_t, void* data) {
  auto& search = *static_cast<Search*>(data);
  const std::span parts(object->dlpi_phdr, object->dlpi_phnum);
  bool holds = false;
  for (const ElfW(Phdr) & part : parts) {
    const ElfW(Addr) begin = object->dlpi_addr + part.p_vaddr;
    holds = holds || (part.p_type == PT_LOAD && search.inside >= begin &&
                      search.inside - begin < part.p_memsz);
  }
  if (!holds) return 0;
  for (const ElfW(Phdr) & part : parts) {
    if (part.p_type != PT_NOTE || !search.id.empty()) continue;
    const auto* notes = reinterpret_cast<const std::uint8_t*>(object->dlpi_addr + part.p_vaddr);
    search.id = BuildIdAmong(notes, part.p_memsz);
  }
  return 1;
}

}  // namespace

std::string BuildId() {
  Search search = {.inside = reinterpret_cast<ElfW(Addr)>(&BuildId)};
  dl_iterate_phdr(Look, &search);
  return search.id;
}

}  // namespace athanor
