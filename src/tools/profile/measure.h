// Times of nodes, and of whole runs in other settings.
#pragma once

#include <functional>

#include "runtime/session.h"
#include "tools/profile/advice.h"

namespace athanor::tools {

// A device without plans: the nodes of its graph, by the moments at which the observer is told
// about them. `make` opens the session with this observer.
Status TimeNodes(const std::function<Result<std::unique_ptr<Session>>(NodeObserver)>& make,
                 const std::function<Result<std::vector<Datum>>(const Session&)>& inputs,
                 const std::function<void()>& after_run, ProfileFindings& findings);

// A device with plans times its steps itself; fills in floors and memory too. The peaks of the
// machine are probed where the findings hold none.
Status TimeSteps(Session& session, const std::vector<Datum>& inputs,
                 const std::function<void()>& after_run, ProfileFindings& findings);

// Runs other settings in turn with this one, for `seconds` in all: another number of threads, and
// kernels that are measured first. `options` are those of the session.
Result<Trials> TryOthers(Session& session, const SessionOptions& options,
                         const std::vector<Datum>& inputs, double seconds,
                         const ProfileFindings& findings);

}  // namespace athanor::tools
