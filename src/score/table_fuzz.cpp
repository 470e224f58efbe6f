// libFuzzer: any bytes as a table of rows, and rows read in vectors must be what rows read cell by
// cell are. `./dev fuzz table 60`.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "score/table_parser.h"

namespace {

using namespace athanor;         // NOLINT(google-build-using-namespace)
using namespace athanor::score;  // NOLINT(google-build-using-namespace)

bool SameElements(const ParsedBlock& a, const ParsedBlock& b) {
  for (std::size_t c = 0; c < a.columns.size(); ++c) {
    for (std::size_t r = 0; r < a.rows; ++r) {
      const std::byte* one = a.columns[c].first + r * a.columns[c].stride;
      const std::byte* other = b.columns[c].first + r * b.columns[c].stride;
      if (a.columns[c].dtype != DType::kString) {
        if (std::memcmp(one, other, CellBytes(a.columns[c].dtype)) != 0) return false;
        continue;
      }
      const char *text = nullptr, *same = nullptr;
      std::memcpy(&text, one, sizeof(text));
      std::memcpy(&same, other, sizeof(same));
      if (std::strcmp(text, same) != 0) return false;
    }
  }
  return true;
}

bool Same(const ParsedBlock& a, const ParsedBlock& b) {
  return a.rows == b.rows && a.kept == b.kept && a.empty == b.empty && SameElements(a, b) &&
         std::equal(a.bad.begin(), a.bad.end(), b.bad.begin(), b.bad.end(),
                    [](const BadRow& one, const BadRow& other) {
                      return one.line == other.line && one.reason == other.reason &&
                             one.row == other.row && one.fix == other.fix;
                    });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool json = data[0] % 4 == 3, matrix = data[0] % 4 == 2;
  TableFormat format = {.json_lines = json,
                        .on_error = data[0] % 8 < 4 ? OnError::kSkip : OnError::kNull,
                        .separator = data[0] % 16 < 8 ? ',' : ';'};
  if (data[1] % 2 == 1) format.missing = {"-999", "NA"};
  const DType numbers = data[1] % 4 < 2 ? DType::kF32 : DType::kF64;
  std::vector<Column> columns = {{.name = "a", .source = 0, .dtype = numbers},
                                 {.name = "b", .source = 1, .dtype = DType::kString},
                                 {.name = "c", .source = 2, .dtype = DType::kI64}};
  if (matrix) columns[1].dtype = columns[2].dtype = numbers;
  const std::vector<Isa> isas = AvailableIsas();
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto parse = [&](bool quick) {
    const TableParser parser(
        format, {"a", "b", "c"}, columns, {1},
        {.matrix = matrix, .isa = isas[data[1] / 4 % isas.size()], .quick = quick});
    return parser.Parse({.text = TableText(text)});
  };
  const ParsedBlock block = parse(true);
  if (!json && !Same(block, parse(false))) std::abort();
  return 0;
}
