// What a package says, as tensors: for servers and programs that want no JSON.
//
//   stages          outputs, of N pictures
//   top_k           class i64[N, K], label string[N, K] (with labels), score f32[N, K]
//   nms             box f32[M, 4] (x1, y1, x2, y2 in pixels of the picture as it came),
//                   class i64[M], label string[M] (with labels), score f32[M]; of one picture
//   none of them    the network's outputs
#pragma once

#include "api/pipeline.h"

namespace athanor {

struct AnswerPort {
  std::string name;
  Type type;
};

// The pictures that may be asked about at once: string[N] when each has its rows in every output,
// string[1] when the number of rows differs from picture to picture.
AnswerPort PictureInput(const PipelineRunner& runner);
std::vector<AnswerPort> AnswerOutputs(const PipelineRunner& runner);

// In the order of AnswerOutputs. What the network gives is shared, not copied.
std::vector<Tensor> ToTensors(const PipelineResult& result, const package::Pipeline& pipeline);

}  // namespace athanor
