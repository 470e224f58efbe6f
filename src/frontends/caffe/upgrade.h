// Brings a network of any age to one form: a list of `layer` fields, types by name, every input a
// layer. Nothing behind this file knows the older forms.
#pragma once

#include "frontends/caffe/message.h"

namespace athanor::caffe {

Status Upgrade(Message& net);

// Whether a layer is part of the network when it is tested, by its include and exclude rules and
// the state that the network says it is in.
bool IsUsed(const Message& layer, const Message& net);

}  // namespace athanor::caffe
