#include "score/cells.h"

namespace athanor::score {

namespace base {
CellReader Reader();
}
namespace avx2 {
CellReader Reader();
}
namespace avx512 {
CellReader Reader();
}

CellReader CellReaderFor(Isa isa) {
  if (isa == Isa::kAvx512) return avx512::Reader();
  return isa == Isa::kAvx2 ? avx2::Reader() : base::Reader();
}

}  // namespace athanor::score
