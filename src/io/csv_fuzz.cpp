// Fuzz target: any bytes as a table, read to its end.
#include "io/csv.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto reader = athanor::io::CsvReader::FromText(text, nullptr);
  if (!reader.ok()) return 0;
  for (;;) {
    const auto row = reader->Next();
    if (!row.ok() || !*row) return 0;
    for (const athanor::io::CsvCell& cell : **row) (void)cell.Number();
  }
}
