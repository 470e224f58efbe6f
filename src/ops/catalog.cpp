#include "ops/catalog.h"

#include "ops/catalog.inc"

namespace athanor::ops {

const Catalog& Standard() {
  static const Catalog catalog(AllOperators());
  return catalog;
}

}  // namespace athanor::ops
