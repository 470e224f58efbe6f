// Which channels of which products have to change together.
//
// A positive factor that a product's weights give one of its output channels is taken back by the
// weights of those that read the channel, if everything between lets it pass. Sums tie channels of
// several products together; what moves channels (Concat, Split, shuffles by Reshape and Transpose)
// is followed place by place.
#pragma once

#include <limits>
#include <vector>

#include "quant/candidates.h"

namespace athanor::quant {

struct ChannelEnd {
  const Candidate* product = nullptr;
  std::size_t channel = 0;
};

struct ChannelPlace {
  ValueId value = kNoValue;
  std::size_t channel = 0;
  // Larger values were cut off on the way here (Clip): no factor may bring any to it.
  double limit = std::numeric_limits<double>::infinity();
};

struct ChannelGroup {
  std::vector<ChannelEnd> makers = {};    // output channels of these
  std::vector<ChannelEnd> readers = {};   // channels of the data of these
  std::vector<ChannelPlace> places = {};  // where the channel lies between them
};

// In order of execution. Groups that something else reads, an answer for one, are left out.
// `candidates` outlives the result.
Result<std::vector<ChannelGroup>> FindChannelGroups(const Graph& graph,
                                                    const Candidates& candidates);

}  // namespace athanor::quant
