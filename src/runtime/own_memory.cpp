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

Result<Datum> OwnMemory(Datum value) {
  if (value.IsTensor()) return value.tensor().owner() != nullptr ? std::move(value) : Copy(value);
  if (!value.IsSequence()) return value;
  ATH_TRY(std::vector<Datum> items, OwnMemory(value.items()));
  return Datum::Sequence(std::move(items));
}

Result<std::vector<Datum>> OwnMemory(std::vector<Datum> values) {
  for (Datum& value : values) {
    ATH_TRY(value, OwnMemory(std::move(value)));
  }
  return values;
}

}  // namespace athanor
