#include <algorithm>

#include "ops/broadcast.h"
#include "ops/control/body.h"
#include "ops/tensor/move.h"

namespace athanor::ops {
namespace {

// Node inputs:  state..., scanned..., captured...
// Body inputs:  state..., one slice of each scanned..., captured...
// Body outputs: state..., one value per stacked output...
// Node outputs: state..., stacked...
struct ScanAttrs {
  std::int64_t num_scan_inputs = 0;
  std::vector<std::int64_t> scan_input_axes;
  std::vector<std::int64_t> scan_input_directions;
  std::vector<std::int64_t> scan_output_axes;
  std::vector<std::int64_t> scan_output_directions;
  template <class V>
  void Visit(V& v) {
    v("num_scan_inputs", num_scan_inputs, "how many inputs are scanned; the others are state",
      kRequired);
    v("scan_input_axes", scan_input_axes, "which axis of each scanned input; 0 when absent");
    v("scan_input_directions", scan_input_directions, "1: from the end; 0 when absent");
    v("scan_output_axes", scan_output_axes, "which axis of each result is the stacked one; 0");
    v("scan_output_directions", scan_output_directions, "1: each value goes before the others; 0");
  }
};

struct Counts {
  std::size_t states = 0, scanned = 0;
};

template <class Ctx>
Result<Counts> CountInputs(const Ctx& ctx, const ScanAttrs& attrs) {
  const std::size_t own = ctx.num_inputs() - ctx.num_captures();
  if (attrs.num_scan_inputs < 1 || static_cast<std::uint64_t>(attrs.num_scan_inputs) > own)
    return InvalidModel("num_scan_inputs is {}; 1 to {} is expected", attrs.num_scan_inputs, own);
  const auto scanned = static_cast<std::size_t>(attrs.num_scan_inputs);
  return Counts{own - scanned, scanned};
}

std::int64_t At(const std::vector<std::int64_t>& list, std::size_t i) {
  return i < list.size() ? list[i] : 0;
}

Status CheckList(const std::vector<std::int64_t>& list, std::size_t count, const char* name,
                 bool directions) {
  if (!list.empty() && list.size() != count)
    return InvalidModel("{} has {} entries; {} are expected", name, list.size(), count);
  const bool bad = directions && std::any_of(list.begin(), list.end(),
                                             [](std::int64_t d) { return d != 0 && d != 1; });
  if (bad) return InvalidModel("{}: each is 0 (forward) or 1 (reverse)", name);
  return {};
}

// One slice of a scanned input.
Result<Type> SliceType(const Type& scanned, std::int64_t axis) {
  if (!scanned.IsTensor())
    return InvalidModel("a tensor is scanned, {} is given", scanned.ToString());
  if (!scanned.HasRank()) return scanned;
  ATH_TRY(const std::int64_t at, NormalizeAxis(axis, scanned.rank()));
  Type slice = scanned;
  slice.shape->erase(slice.shape->begin() + at);
  return slice;
}

std::vector<Type> ScanBodyInputs(const InferCtx& ctx, std::size_t) {
  const auto attrs = ctx.Attrs<ScanAttrs>();
  std::vector<Type> types;
  const Result<Counts> counts = CountInputs(ctx, attrs);
  if (!counts.ok()) return types;
  for (std::size_t i = 0; i < counts->states + counts->scanned; ++i) {
    if (!ctx.Has(i)) {
      types.emplace_back();
    } else if (i < counts->states) {
      types.push_back(WithoutShape(ctx.In(i)));
    } else {
      const Result<Type> slice =
          SliceType(ctx.In(i), At(attrs.scan_input_axes, i - counts->states));
      types.push_back(slice.ok() ? *slice : Type());
    }
  }
  return types;
}

// The common length of the scanned axes.
Result<Dim> Length(const InferCtx& ctx, const ScanAttrs& attrs, const Counts& counts) {
  Dim length;
  for (std::size_t i = 0; i < counts.scanned; ++i) {
    if (!ctx.Has(counts.states + i)) return InvalidModel("scanned input {} is omitted", i);
    const Type& type = ctx.In(counts.states + i);
    ATH_TRY(const Type slice, SliceType(type, At(attrs.scan_input_axes, i)));
    if (!type.HasRank()) continue;
    ATH_TRY(const std::int64_t axis, NormalizeAxis(At(attrs.scan_input_axes, i), type.rank()));
    const Dim& own = type.dim(axis);
    if (length.IsConst() && own.IsConst() && !(length == own))
      return InvalidModel("scanned inputs of lengths {} and {}", length.value(), own.value());
    if (length.IsUnknown() || own.IsConst()) length = own;
  }
  return length;
}

Status InferScan(InferCtx& ctx) {
  const auto attrs = ctx.Attrs<ScanAttrs>();
  const Graph& body = *ctx.bodies()[0];
  ATH_TRY(const Counts counts, CountInputs(ctx, attrs));
  if (body.outputs().size() < counts.states)
    return InvalidModel("the body gives {} values; {} states are expected", body.outputs().size(),
                        counts.states);
  ATH_RETURN_IF_ERROR(ExpectBody(body, ctx.num_inputs(), body.outputs().size()));
  if (ctx.num_outputs() > body.outputs().size())
    return InvalidModel("{} outputs; the body gives {}", ctx.num_outputs(), body.outputs().size());
  const std::size_t stacked = body.outputs().size() - counts.states;
  ATH_RETURN_IF_ERROR(CheckList(attrs.scan_input_axes, counts.scanned, "scan_input_axes", false));
  ATH_RETURN_IF_ERROR(
      CheckList(attrs.scan_input_directions, counts.scanned, "scan_input_directions", true));
  ATH_RETURN_IF_ERROR(CheckList(attrs.scan_output_axes, stacked, "scan_output_axes", false));
  ATH_RETURN_IF_ERROR(
      CheckList(attrs.scan_output_directions, stacked, "scan_output_directions", true));
  ATH_TRY(const Dim length, Length(ctx, attrs, counts));
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
    const Type& given = OutputType(body, i);
    if (i >= counts.states) {
      ATH_TRY(ctx.out[i],
              StackedType(given, At(attrs.scan_output_axes, i - counts.states), length));
      continue;
    }
    if (!ctx.Has(i)) return InvalidModel("state {} has no initial value", i);
    ATH_TRY(ctx.out[i], Either(ctx.In(i), given));
    if (length.Is(0)) ctx.out[i] = ctx.In(i);
  }
  return {};
}

// Slice `index` of a tensor along an axis, without the axis.
Result<Tensor> TakeSlice(const Tensor& tensor, std::int64_t axis, std::int64_t index) {
  const auto at = static_cast<std::size_t>(axis);
  Dims dims = tensor.dims();
  const std::int64_t outer = CountOf(dims, 0, at), inner = CountOf(dims, at + 1, dims.size());
  dims.erase(dims.begin() + axis);
  ATH_TRY(Tensor slice, Tensor::Allocate(tensor.dtype(), std::move(dims)));
  for (std::int64_t o = 0; o < outer; ++o)
    CopyElements(tensor, (o * tensor.dim(axis) + index) * inner, slice, o * inner, inner);
  return slice;
}

Status ScanReference(RefCtx& ctx) {
  const auto attrs = ctx.Attrs<ScanAttrs>();
  ATH_TRY(const Counts counts, CountInputs(ctx, attrs));
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < counts.scanned; ++i) {
    ATH_TRY(const std::int64_t axis,
            NormalizeAxis(At(attrs.scan_input_axes, i), ctx.In(counts.states + i).rank()));
    axes.push_back(axis);
  }
  const std::int64_t length = ctx.In(counts.states).dim(axes[0]);
  std::vector<Datum> states;
  for (std::size_t i = 0; i < counts.states; ++i) states.push_back(ctx.InDatum(i));
  std::vector<Stack> stacks;
  for (std::size_t i = counts.states; i < ctx.num_outputs(); ++i) {
    const std::size_t k = i - counts.states;
    stacks.emplace_back(At(attrs.scan_output_axes, k), At(attrs.scan_output_directions, k) == 1);
  }
  for (std::int64_t step = 0; step < length; ++step) {
    std::vector<Datum> inputs = states;
    for (std::size_t i = 0; i < counts.scanned; ++i) {
      const std::int64_t index = At(attrs.scan_input_directions, i) == 1 ? length - 1 - step : step;
      ATH_TRY(Tensor slice, TakeSlice(ctx.In(counts.states + i), axes[i], index));
      inputs.emplace_back(std::move(slice));
    }
    for (std::size_t i = counts.states + counts.scanned; i < ctx.num_inputs(); ++i)
      inputs.push_back(ctx.InDatum(i));
    ATH_TRY(std::vector<Datum> results, ctx.RunBody(0, std::move(inputs)));
    for (std::size_t i = 0; i < counts.states; ++i) states[i] = std::move(results[i]);
    for (std::size_t i = 0; i < stacks.size(); ++i)
      ATH_RETURN_IF_ERROR(stacks[i].Push(results[counts.states + i]));
  }
  for (std::size_t i = 0; i < ctx.num_outputs(); ++i) {
    if (i < counts.states) {
      ctx.out[i] = states[i];
    } else if (length > 0) {
      ATH_TRY(ctx.out[i], stacks[i - counts.states].Join());
    } else if (!ctx.out[i].IsTensor()) {
      return DataError("output {} has no iterations and no known shape", i);
    }
  }
  return {};
}

}  // namespace

OpDef Scan() {
  return {
      .name = "Scan",
      .summary =
          "Runs a sub-graph once per slice of its scanned inputs. State goes from one slice to the "
          "next; other results are stacked.",
      .inputs = {{"initial_state_and_scan_inputs",
                  "the state before the first slice, then the inputs that are scanned",
                  kVariadicPort}},
      .outputs = {{"final_state_and_scan_outputs",
                   "the state after the last slice, then the stacked results", kVariadicPort}},
      .attributes = Describe<ScanAttrs>(),
      .bodies = {"body"},
      .traits = kPure | kDataDependent,
      .infer = InferScan,
      .body_inputs = ScanBodyInputs,
      .reference = ScanReference,
      .flops = [](const CostCtx&) { return Dim::Unknown(); },
  };
}

}  // namespace athanor::ops
