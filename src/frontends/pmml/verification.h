// <ModelVerification>: rows with the answers that the document promises, checked at import.
#pragma once

#include "frontends/pmml/xml.h"
#include "ir/graph.h"

namespace athanor::pmml {

// Fails with ATH-3001, which names the row and the field, when an answer is another one. Nothing to
// check is no failure.
Status Verify(const Graph& graph, const Element& model);

}  // namespace athanor::pmml
