// The operators of TensorFlow Lite for Microcontrollers' signal library that cut a stream into
// frames and put it together again. What they keep between runs are states; as long as there is
// too little of the stream their second output says so, and the first is 0.
#include <algorithm>

#include "core/checked.h"
#include "frontends/tflite/custom_options.h"

namespace athanor::tflite {
namespace {

constexpr std::int64_t kLargest = std::int64_t{1} << 22;  // of a size, and of numbers in frames

Result<std::int64_t> Size(const AttrMap& options, const char* name, std::int64_t least) {
  const std::int64_t value = std::get<std::int64_t>(*options.Find(name));
  if (value >= least && value <= kLargest) return value;
  return Unsupported("{} is {}; {} to {} is read", name, value, least, kLargest);
}

// The sizes of input 0, of a type and with as many axes as are needed.
Result<Dims> SizesOf(const OpImport& ctx, std::initializer_list<DType> types, std::size_t rank) {
  const auto dims = ctx.InType(0).StaticDims();
  if (std::find(types.begin(), types.end(), ctx.In(0).dtype) == types.end() || !dims ||
      dims->size() < rank || !CheckedCount(*dims) || *CheckedCount(*dims) == 0)
    return Unsupported("a stream of {} is not read; known sizes of {} axes or more and {} are",
                       ctx.InType(0).ToString(), rank, Name(*types.begin()));
  return *dims;
}

Result<ValueId> SliceOf(OpImport& ctx, ValueId value, std::int64_t begin, std::int64_t end,
                        std::int64_t axis) {
  return ctx.Add("Slice",
                 {value, ctx.Constants({begin}), ctx.Constants({end}), ctx.Constants({axis})});
}

// ---- SignalDelay

Status Delay(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const AttrMap options, NumberOptions(ctx, {"delay_length"}));
  ATH_TRY(const std::int64_t delay, Size(options, "delay_length", 0));
  ATH_TRY(const Dims dims, SizesOf(ctx, {DType::kI16}, 1));
  if (delay == 0) return ctx.GiveStored(ctx.Stored(0));
  const std::int64_t axis = std::ssize(dims) - 1;
  Dims held = dims;
  held.back() = delay;
  ATH_TRY(const ValueId before, ctx.BeginOwnState(DType::kI16, held));
  ATH_TRY(const ValueId stream, ctx.Add("Concat", {before, ctx.Stored(0)}, {{"axis", axis}}));
  ATH_TRY(const ValueId next, SliceOf(ctx, stream, dims.back(), dims.back() + delay, axis));
  ATH_RETURN_IF_ERROR(ctx.EndOwnState(next));
  return ctx.GiveStored(SliceOf(ctx, stream, 0, dims.back(), axis));
}

// ---- SignalFramer

struct Frames {
  std::int64_t size = 0, step = 0, count = 0;  // of one run
  std::int64_t held = 0;                       // of the stream, from one run to the next
  std::int64_t steps = 1;                      // before the first frame is whole
};

Result<Frames> ReadFrames(const OpImport& ctx, const Dims& dims) {
  ATH_TRY(const AttrMap options, NumberOptions(ctx, {"frame_size", "frame_step", "prefill"}));
  Frames frames;
  ATH_TRY(frames.size, Size(options, "frame_size", 1));
  ATH_TRY(frames.step, Size(options, "frame_step", 1));
  const bool is_prefilled = std::get<std::int64_t>(*options.Find("prefill")) != 0;
  if (dims.back() % frames.step != 0)
    return InvalidModel("a stream of {} for steps of {}; a multiple is wanted", dims.back(),
                        frames.step);
  if (is_prefilled && frames.size < frames.step)
    return InvalidModel("frames of {} every {} cannot be filled up before", frames.size,
                        frames.step);
  frames.count = dims.back() / frames.step;
  const std::int64_t numbers =
      CheckedMul(*CheckedCount(dims) / frames.step, frames.size).value_or(kLargest + 1);
  if (numbers > kLargest)
    return Unsupported("{} frames of {} hold {} numbers in all; up to {} are read", frames.count,
                       frames.size, numbers, kLargest);
  // The oldest part of a frame leaves with its step. Unless zeros stand in front, a first frame
  // waits for whole steps, and keeps what they are more than a frame.
  const std::int64_t steps = (frames.size + frames.step - 1) / frames.step;
  frames.held = is_prefilled ? frames.size - frames.step : (steps - 1) * frames.step;
  frames.steps = is_prefilled ? 1 : steps;
  return frames;
}

// Where each number of each frame stands in the stream.
ValueId Places(OpImport& ctx, const Frames& frames) {
  std::vector<std::int64_t> places;
  for (std::int64_t n = 0; n < frames.count; ++n) {
    for (std::int64_t i = 0; i < frames.size; ++i) places.push_back(n * frames.step + i);
  }
  return ctx.graph.AddConstant(Tensor::FromVector({frames.count, frames.size}, places));
}

ValueId Whole(OpImport& ctx, std::vector<std::int32_t> values, bool is_scalar = false) {
  const Dims dims = is_scalar ? Dims{} : Dims{std::ssize(values)};
  return ctx.graph.AddConstant(Tensor::FromVector(dims, values));
}

ValueId Silence(OpImport& ctx) { return ctx.graph.AddConstant(Tensor::Scalar(std::int16_t{0})); }

Status GiveValid(OpImport& ctx, Result<ValueId> valid) {
  return ctx.GiveStored(std::move(valid), schema::Activation_NONE, {}, 1);
}

Status AlwaysValid(OpImport& ctx) {
  return GiveValid(ctx, ctx.graph.AddConstant(Tensor::Scalar(true)));
}

// Frames that are not whole become 0. The state counts steps, as far as it matters.
Status GiveWholeFrames(OpImport& ctx, const Frames& frames, ValueId cut) {
  ATH_TRY(const ValueId before, ctx.BeginOwnState(DType::kI32, {}, "steps"));
  std::vector<std::int32_t> numbers;
  for (std::int64_t n = 1; n <= frames.count; ++n) numbers.push_back(static_cast<std::int32_t>(n));
  ATH_TRY(const ValueId seen, ctx.Add("Add", {before, Whole(ctx, numbers)}));
  const ValueId wanted = Whole(ctx, {static_cast<std::int32_t>(frames.steps)}, true);
  ATH_TRY(const ValueId is_whole, ctx.Add("GreaterOrEqual", {seen, wanted}));
  ATH_TRY(const ValueId column, ctx.Add("Unsqueeze", {is_whole, ctx.Constants({1})}));
  ATH_RETURN_IF_ERROR(ctx.GiveStored(ctx.Add("Where", {column, cut, Silence(ctx)})));
  const ValueId all = Whole(ctx, {static_cast<std::int32_t>(frames.count)}, true);
  ATH_TRY(ValueId next, ctx.Add("Add", {before, all}));
  ATH_TRY(next, ctx.Add("Min", {next, wanted}));
  ATH_RETURN_IF_ERROR(ctx.EndOwnState(next, "steps"));
  // What comes first decides: later frames are whole when it is.
  const ValueId zero = ctx.graph.AddConstant(Tensor::Scalar(std::int64_t{0}));
  return GiveValid(ctx, ctx.Add("Gather", {is_whole, zero}, {{"axis", std::int64_t{0}}}));
}

Status Framer(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1, 2));
  ATH_TRY(const Dims dims, SizesOf(ctx, {DType::kI16}, 1));
  ATH_TRY(const Frames frames, ReadFrames(ctx, dims));
  const std::int64_t axis = std::ssize(dims) - 1;
  ValueId stream = ctx.Stored(0);
  if (frames.held > 0) {
    Dims held = dims;
    held.back() = frames.held;
    ATH_TRY(const ValueId before, ctx.BeginOwnState(DType::kI16, held));
    ATH_TRY(stream, ctx.Add("Concat", {before, stream}, {{"axis", axis}}));
    ATH_TRY(const ValueId next, SliceOf(ctx, stream, dims.back(), dims.back() + frames.held, axis));
    ATH_RETURN_IF_ERROR(ctx.EndOwnState(next));
  }
  ATH_TRY(const ValueId cut, ctx.Add("Gather", {stream, Places(ctx, frames)}, {{"axis", axis}}));
  if (frames.steps > 1) return GiveWholeFrames(ctx, frames, cut);
  ATH_RETURN_IF_ERROR(ctx.GiveStored(cut));
  return AlwaysValid(ctx);
}

// ---- SignalStacker

struct Stack {
  std::int64_t channels = 0, frames = 0, first = 0, step = 0;
};

Result<Stack> ReadStack(const OpImport& ctx, const Dims& dims) {
  ATH_TRY(const AttrMap options, NumberOptions(ctx, {"num_channels", "stacker_left_context",
                                                     "stacker_right_context", "stacker_step"}));
  Stack stack;
  ATH_TRY(stack.channels, Size(options, "num_channels", 1));
  ATH_TRY(stack.step, Size(options, "stacker_step", 1));
  ATH_TRY(const std::int64_t left, Size(options, "stacker_left_context", 0));
  ATH_TRY(const std::int64_t right, Size(options, "stacker_right_context", 0));
  stack.first = left + 1;
  stack.frames = left + right + 1;
  if (dims.size() != 1 || dims[0] != stack.channels)
    return InvalidModel("a stream of {} for {} channels", ToString(dims), stack.channels);
  if (stack.step > stack.frames)
    return InvalidModel("steps of {} over {} frames", stack.step, stack.frames);
  if (stack.frames * stack.channels > kLargest)
    return Unsupported("{} frames of {} channels; {} numbers in all are read", stack.frames,
                       stack.channels, kLargest);
  return stack;
}

// What there is of the last frames. `is_first`: the frame stands for those before it as well.
Result<ValueId> LastFrames(OpImport& ctx, const Stack& stack, ValueId is_first) {
  ATH_TRY(const ValueId frame, ctx.Add("Unsqueeze", {ctx.Stored(0), ctx.Constants({0})}));
  ATH_TRY(const ValueId before, ctx.BeginOwnState(DType::kI16, {stack.frames - 1, stack.channels}));
  ATH_TRY(const ValueId moved, ctx.Add("Concat", {before, frame}, {{"axis", std::int64_t{0}}}));
  ATH_TRY(const ValueId last, ctx.Add("Where", {is_first, frame, moved}));
  ATH_TRY(const ValueId next, SliceOf(ctx, last, 1, stack.frames, 0));
  ATH_RETURN_IF_ERROR(ctx.EndOwnState(next));
  return ctx.Add("Reshape", {last, ctx.Constants({-1})});
}

// The state is 0 before the first frame, then one more than the frames that wait.
Status Stacker(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1, 2));
  ATH_TRY(const Dims dims, SizesOf(ctx, {DType::kI16}, 1));
  ATH_TRY(const Stack stack, ReadStack(ctx, dims));
  if (stack.frames == 1) {
    ATH_RETURN_IF_ERROR(ctx.GiveStored(ctx.Stored(0)));
    return AlwaysValid(ctx);
  }
  const auto number = [&](std::int64_t value) {
    return Whole(ctx, {static_cast<std::int32_t>(value)}, true);
  };
  ATH_TRY(const ValueId count, ctx.BeginOwnState(DType::kI32, {}, "frames"));
  ATH_TRY(const ValueId is_first, ctx.Add("Equal", {count, number(0)}));
  ATH_TRY(const ValueId last, LastFrames(ctx, stack, is_first));
  ATH_TRY(const ValueId waiting, ctx.Add("Where", {is_first, number(stack.first), count}));
  ATH_TRY(const ValueId valid, ctx.Add("GreaterOrEqual", {waiting, number(stack.frames)}));
  ATH_RETURN_IF_ERROR(ctx.GiveStored(ctx.Add("Where", {valid, last, Silence(ctx)})));
  ATH_TRY(const ValueId left, ctx.Add("Where", {valid, number(1 - stack.step), number(1)}));
  ATH_TRY(const ValueId next, ctx.Add("Add", {waiting, left}));
  ATH_RETURN_IF_ERROR(ctx.EndOwnState(next, "frames"));
  return GiveValid(ctx, valid);
}

// ---- SignalOverlapAdd

Status OverlapAdd(OpImport& ctx) {
  ATH_RETURN_IF_ERROR(ctx.Expect(1));
  ATH_TRY(const AttrMap options, NumberOptions(ctx, {"frame_step"}));
  ATH_TRY(const Dims dims, SizesOf(ctx, {DType::kI16, DType::kF32}, 2));
  Dims held = dims;
  held.erase(held.end() - 2);
  ATH_TRY(const ValueId before, ctx.BeginOwnState(ctx.In(0).dtype, held));
  ATH_TRY(const auto outputs, ctx.AddMany("SignalOverlapAdd", {ctx.Stored(0), before}, options, 2));
  ATH_RETURN_IF_ERROR(ctx.EndOwnState(outputs[1]));
  return ctx.GiveStored(outputs[0]);
}

}  // namespace

std::vector<CustomRow> SignalFrameRows() {
  return {
      {"SignalDelay", Delay},
      {"SignalFramer", Framer},
      {"SignalOverlapAdd", OverlapAdd},
      {"SignalStacker", Stacker},
  };
}

}  // namespace athanor::tflite
