#include "core/wished_isa.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "core/text.h"

namespace athanor {

Result<std::optional<Isa>> WishedIsa() {
  const char* const wish = std::getenv("ATHANOR_ISA");
  if (wish == nullptr || *wish == '\0') return std::optional<Isa>();
  if (const std::optional<Isa> isa = IsaFromName(wish)) return isa;
  std::vector<std::string> names;
  for (const Isa isa : {Isa::kBase, Isa::kAvx2, Isa::kAvx512}) names.emplace_back(Name(isa));
  return Error(ErrorCode::kUnknownName, "the environment has ATHANOR_ISA={}: there are {}{}",
               Quote(wish), Join(names, ", "), DidYouMean(wish, names))
      .Fix("ATHANOR_ISA=avx2, or unset ATHANOR_ISA for all that this machine has");
}

}  // namespace athanor
