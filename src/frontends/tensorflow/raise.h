// Switch, Merge, Enter, Exit and NextIteration made into If and While, the form of newer files.
#pragma once

#include "frontends/tensorflow/flow.h"

namespace athanor::tensorflow {

// Source of the meaning of these operators: "Implementation of Control Flow in TensorFlow"
// (Yu et al., 2017). A form that does not come from tf.cond or tf.while_loop is refused.
Status RaiseControlFlow(Flow& flow);

}  // namespace athanor::tensorflow
