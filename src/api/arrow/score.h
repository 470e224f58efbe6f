// A stream of record batches through a model: batches of answers, one for each that came, made when
// they are asked for. Nothing is held but the batch at hand.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/arrow/abi.h"
#include "core/status.h"
#include "runtime/session.h"

namespace athanor::arrow {

struct ScoreOptions {
  std::vector<std::string> keep = {};  // columns that stand before the answers, as they came
  std::vector<std::string> drop = {};  // columns that are no features, for models of one matrix
};

// Columns are found by name; a model of one matrix takes all that are not dropped, in order. The
// first batch is scored at once, so that what is wrong with the table is told here. Takes `rows`
// over.
Result<Owned<ArrowArrayStream>> Score(std::shared_ptr<Session> session, ScoreOptions options,
                                      Owned<ArrowArrayStream> rows);

}  // namespace athanor::arrow
