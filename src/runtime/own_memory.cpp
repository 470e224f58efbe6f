#include "runtime/own_memory.h"

namespace athanor {

Result<Datum> Copy(const Datum& datum) {
  if (datum.IsTensor()) {
    ATH_TRY(Tensor copy, datum.tensor().Clone());
    return Datum(std::move(copy));
  }
  if (!datum.IsSequence()) return Datum();
  std::vector<Datum> items;
  for (const Datum& item : datum.items()) {
    ATH_TRY(items.emplace_back(), Copy(item));
  }
  return Datum::Sequence(std::move(items));
}

Result<std::vector<Datum>> OwnMemory(std::vector<Datum> data) {
  for (Datum& datum : data) {
    if (datum.IsSequence()) {
      ATH_TRY(std::vector<Datum> items, OwnMemory(datum.items()));
      datum = Datum::Sequence(std::move(items));
    } else if (datum.IsTensor() && datum.tensor().owner() == nullptr &&
               datum.tensor().count() > 0) {
      ATH_TRY(datum, Copy(datum));
    }
  }
  return data;
}

}  // namespace athanor
