#include "tools/image_options.h"

#include <charconv>

#include "tools/console.h"
#include "tools/input_fault.h"

namespace athanor::tools {
namespace {

Result<std::vector<double>> ParseNumbers(const std::string& option, const std::string& text) {
  std::vector<double> values;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at <= end) {
    double value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc() || (stop != end && *stop != ','))
      return Error(ErrorCode::kUsage, "{} {}: numbers separated by commas are expected", option,
                   text);
    values.push_back(value);
    if (stop == end) break;
    at = stop + 1;
  }
  return values;
}

// "224" or "240x320" (height x width).
Result<std::vector<std::int64_t>> ParseSize(const std::string& option, const std::string& text) {
  std::vector<std::int64_t> values;
  const char* at = text.data();
  const char* end = at + text.size();
  while (values.size() < 2) {
    std::int64_t value = 0;
    const auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc() || value < 1 || value > 1 << 16) break;
    values.push_back(value);
    if (stop == end) return values;
    if (*stop != 'x') break;
    at = stop + 1;
  }
  return Error(ErrorCode::kUsage,
               "{} {}: a size such as 224 or 240x320 (height x width) is expected", option, text);
}

bool IsChannels(const Dim& dim) { return dim.Is(1) || dim.Is(3); }

std::optional<io::Size> FixedSize(const Dim& height, const Dim& width) {
  if (!height.IsConst() || !width.IsConst()) return std::nullopt;
  return io::Size{height.value(), width.value()};
}

}  // namespace

void AddImageOptions(Arguments app, ImageFlags& flags) {
  app.Option("--mean", flags.mean, "subtracted from pixels 0..255: one number or R,G,B");
  app.Option("--std", flags.std, "divides after --mean: one number or R,G,B");
  app.Option("--scale", flags.scale, "multiplies after --mean: --scale s is --std 1/s");
  const Argument rgb = app.Flag("--rgb", flags.rgb, "the network reads R,G,B (default)");
  app.Flag("--bgr", flags.bgr, "the network reads B,G,R").Excludes(rgb);
  app.Option("--layout", flags.layout, "nchw or nhwc (default: from the input's shape)")
      .OneOfAnyCase({"nchw", "nhwc"});
  app.Option("--resize", flags.resize,
             "N: short side to N, keeping proportions; HxW: to exactly that size");
  app.Option("--crop", flags.crop,
             "N or HxW: the middle of the (resized) picture; a smaller one is scaled up first");
}

bool KeepsRange(const ImageFlags& flags) {
  return flags.mean.empty() && flags.std.empty() && flags.scale.empty();
}

void NoteRawPictures(const Common& common, const std::vector<std::string>& inputs) {
  for (const std::string& name : inputs) {
    Note(common,
         "pixels go into \"{}\" as 0..255; --std 255 makes them 0..1, --mean 127.5 --std 127.5 "
         "-1..1: as the model was trained",
         name);
  }
}

Result<io::Preprocess> ToPreprocess(const ImageFlags& flags) {
  io::Preprocess steps;
  steps.bgr = flags.bgr;
  if (!flags.mean.empty()) {
    ATH_TRY(steps.mean, ParseNumbers("--mean", flags.mean));
  }
  if (!flags.std.empty() && !flags.scale.empty())
    return Error(ErrorCode::kUsage, "--std and --scale exclude each other: --scale s is --std 1/s");
  if (!flags.std.empty()) {
    ATH_TRY(steps.std, ParseNumbers("--std", flags.std));
  }
  if (!flags.scale.empty()) {
    ATH_TRY(steps.std, ParseNumbers("--scale", flags.scale));
    for (double& value : steps.std) {
      if (value == 0) return Error(ErrorCode::kUsage, "--scale must not be 0");
      value = 1 / value;
    }
  }
  if (!flags.resize.empty()) {
    ATH_TRY(const auto size, ParseSize("--resize", flags.resize));
    if (size.size() == 1) steps.resize_short = size[0];
    if (size.size() == 2) steps.resize = io::Size{size[0], size[1]};
  }
  if (!flags.crop.empty()) {
    ATH_TRY(const auto size, ParseSize("--crop", flags.crop));
    steps.crop = io::Size{size[0], size.back()};
  }
  return steps;
}

Result<io::ImageInput> ImageInputOf(const Type& type, const ImageFlags& flags) {
  const auto no_picture = [&] {
    return Error(
        ErrorCode::kInvalidInput,
        "{} is not a picture; a picture is [N, C, H, W] or [N, H, W, C] with 1 or 3 channels",
        type.ToString());
  };
  if (!type.HasRank() || (type.rank() != 4 && type.rank() != 3)) return no_picture();
  const std::size_t start = static_cast<std::size_t>(type.rank() - 3);
  const Dim &first = (*type.shape)[start], &middle = (*type.shape)[start + 1],
            &last = (*type.shape)[start + 2];
  io::ImageInput input = {.dtype = type.dtype};
  const bool nhwc_asked = flags.layout == "nhwc" || flags.layout == "NHWC";
  const bool nhwc = flags.layout.empty() ? !IsChannels(first) && IsChannels(last) : nhwc_asked;
  input.layout = nhwc ? io::Layout::kNhwc : io::Layout::kNchw;
  const Dim& channels = nhwc ? last : first;
  if (channels.IsConst() && !IsChannels(channels)) return no_picture();
  input.channels = channels.IsConst() ? channels.value() : 3;
  input.size = nhwc ? FixedSize(first, middle) : FixedSize(middle, last);
  return input;
}

Result<Tensor> ReadNetworkImage(const std::string& path, const Type& type,
                                const ImageFlags& flags) {
  ATH_TRY(const io::ImageInput input, ImageInputOf(type, flags));
  ATH_TRY(const io::Preprocess steps, ToPreprocess(flags));
  const io::Colour colour = input.channels == 1 ? io::Colour::kGrey : io::Colour::kRgb;
  ATH_TRY(const Tensor picture, AsInput(io::ReadImage(path, {.colour = colour})));
  ATH_TRY(Tensor tensor, io::ToNetworkInput(picture, steps, input));
  if (type.rank() == 4) return tensor;
  Dims dims(tensor.dims().begin() + 1, tensor.dims().end());
  return tensor.Reshaped(std::move(dims));
}

}  // namespace athanor::tools
