// What each product takes in float and on integers on this machine, and which are not worth their
// integers.
#pragma once

#include "tools/quantize/choose.h"

namespace athanor::tools {

// By the planner's estimates always, so that a report says both times; the model that is written
// does not depend on it. With --measured by times, and products that are not worth their integers
// return to float where the whole network is faster then (and, with --max-drop, within the drop).
Status WeighProducts(const Maker& maker, const QuantizeRequest& request, const Common& common,
                     Judge* judge, Choice& choice);
void SayWorth(const Common& common, const QuantizeRequest& request, const Choice& choice);
// What to do where the network that was written is slower than in float; nothing where it is not.
void SayIfSlower(const Common& common, const QuantizeRequest& request, const Choice* choice,
                 double float_ms, double after_ms);

}  // namespace athanor::tools
