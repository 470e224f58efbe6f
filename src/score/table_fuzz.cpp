// libFuzzer: any bytes as a table of rows. `./dev fuzz table 60`.
#include "score/table_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace athanor;
  using namespace athanor::score;
  for (const bool json : {false, true}) {
    const TableParser parser(
        {.json_lines = json, .on_error = json ? OnError::kNull : OnError::kSkip, .separator = ','},
        {"a", "b", "c"},
        {{.name = "a", .source = 0, .dtype = DType::kF32},
         {.name = "b", .source = 1, .dtype = DType::kString},
         {.name = "c", .source = 2, .dtype = DType::kI64}},
        {1});
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    (void)parser.Parse({.text = TableText(text)}).rows;
  }
  return 0;
}
