// Sessions that the next process opens by mapping a file: the graph after all passes, and the
// weights as kernels read them, as they were when a session was made for this model first (ADR
// 0040). Nothing is kept that computing it again would not give.
#pragma once

#include "core/file.h"
#include "runtime/session.h"

namespace athanor {

struct SessionCache {
  std::string folder;  // of its files, NAME.athcache; made when there is none
  // What the model was read from, when that holds digests of its weights (frontends/load.h): a
  // model is told from others by its digest, which is computed otherwise.
  std::shared_ptr<const MappedFile> digested = {};
  // Of all files in the folder: those not used for longest are removed for a new one.
  std::int64_t most_bytes = std::int64_t{8} << 30;
};

// As Session::Create, on device "cpu" or some of its cores. What is kept is that of a run with one
// for each size that is a symbol; other runs pack what they need besides in memory. A file that is
// missing, damaged or of another build is made anew; not to be able to write it is an error.
Result<std::unique_ptr<Session>> OpenCached(const Graph& graph, const SessionCache& cache,
                                            const SessionOptions& options);

}  // namespace athanor
