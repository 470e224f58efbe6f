// libFuzzer: any bytes as the text form; what is read must print and read as the same again.
// `./dev fuzz text 60`.
#include "ir/text.h"
#include "ops/catalog.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace athanor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Graph> graph = ParseText(text, ops::Standard());
  if (!graph.ok()) return 0;
  const std::string printed = PrintText(*graph);
  const Result<Graph> again = ParseText(printed, ops::Standard());
  ATH_CHECK(again.ok(), "what is printed can be read");
  ATH_CHECK(PrintText(*again) == printed, "what is read prints as before");
  return 0;
}
