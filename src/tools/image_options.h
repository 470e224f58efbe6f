// --mean --std --scale --rgb|--bgr --layout --crop --resize: the same for every verb that reads
// pictures.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "io/preprocess.h"
#include "ir/type.h"
#include "tools/verb.h"

namespace athanor::tools {

struct ImageFlags {
  std::string mean = {}, std = {}, scale = {}, layout = {}, crop = {}, resize = {};
  bool rgb = false, bgr = false;
};

void AddImageOptions(Arguments app, ImageFlags& flags);

// Whether nothing was said of the range of pixels.
bool KeepsRange(const ImageFlags& flags);
// Says that pixels go into these inputs as they are, and what would be usual.
void NoteRawPictures(const Common& common, const std::vector<std::string>& inputs);

Result<io::Preprocess> ToPreprocess(const ImageFlags& flags);

// How a network reads pictures, from the type of its input: the dimension that is 1 or 3 and stands
// where channels stand decides the layout. Fails when the input cannot be a picture.
Result<io::ImageInput> ImageInputOf(const Type& type, const ImageFlags& flags);

// A picture file as the network's input, with the batch dimension the type asks for.
Result<Tensor> ReadNetworkImage(const std::string& path, const Type& type, const ImageFlags& flags);

}  // namespace athanor::tools
