#include "runtime/run_state.h"

#include <algorithm>
#include <cstring>

#include "ir/node_text.h"
#include "kernels/layout.h"
#include "runtime/answer_room.h"
#include "runtime/own_memory.h"

namespace athanor {
namespace {

using Where = Storage::Where;

// Only observers look at a value whose channels lie in blocks.
Datum FromBlocks(const Place& place, const std::byte* blocks) {
  Result<Tensor> plain = Tensor::Allocate(place.dtype, place.dims);
  if (!plain.ok()) return {};
  kernels::FromBlocks(blocks, ElementBytes(place.dtype), place.dims, place.block,
                      static_cast<std::byte*>(plain->mutable_raw()));
  return *std::move(plain);
}

}  // namespace

RunState::RunState(const Plan& plan)
    : plan_(plan), base_(plan.storages.size()), dynamic_(plan.storages.size()) {
  std::size_t most_in = 0, most_out = 0;
  for (const Step& step : plan.steps) {
    most_in = std::max(most_in, step.in.size());
    most_out = std::max(most_out, step.out.size());
  }
  in_.reserve(most_in);
  out_.reserve(most_out);
  for (std::size_t i = 0; i < plan.storages.size(); ++i) {
    const Storage& storage = plan.storages[i];
    if (storage.where == Where::kInput) input_storages_.push_back(i);
    if (storage.where == Where::kOutput) output_storages_.push_back(i);
    if (storage.where != Where::kConstant && storage.where != Where::kArena) held_.push_back(i);
    if (storage.where != Where::kConstant) continue;
    // Never written: kernels take inputs as const.
    base_[i] = static_cast<std::byte*>(const_cast<void*>(storage.constant.raw()));
    dynamic_[i] = storage.constant;
  }
}

void RunState::UseArena(Tensor arena) {
  arena_ = std::move(arena);
  auto* const begin = static_cast<std::byte*>(arena_.mutable_raw());
  if (begin == arena_begin_) return;
  arena_begin_ = begin;
  for (std::size_t i = 0; i < plan_.storages.size(); ++i) {
    const Storage& storage = plan_.storages[i];
    if (storage.where == Where::kArena) base_[i] = begin + storage.offset;
  }
}

void RunState::TakeInputs(RunInputs inputs) {
  for (const std::size_t i : input_storages_) {
    const std::size_t input = plan_.storages[i].input;
    if (!inputs.lent.empty()) {
      // Never written: kernels take inputs as const.
      base_[i] = static_cast<std::byte*>(const_cast<void*>(inputs.lent[input].data));
      continue;
    }
    dynamic_[i] = std::move(inputs.data[input]);  // each has one storage
    if (dynamic_[i].IsTensor())
      base_[i] = static_cast<std::byte*>(dynamic_[i].tensor().mutable_raw());
  }
}

Status RunState::MakeOutputs() {
  for (const std::size_t i : output_storages_) {
    ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kU8, {plan_.storages[i].bytes}));
    base_[i] = static_cast<std::byte*>(tensor.mutable_raw());
    dynamic_[i] = std::move(tensor);
  }
  return {};
}

Status RunState::KeepOutputs() {
  while (kept_.size() < output_storages_.size()) {  // a run before may have had too little memory
    const Storage& storage = plan_.storages[output_storages_[kept_.size()]];
    ATH_TRY(Tensor tensor, Tensor::Allocate(DType::kU8, {storage.bytes}));
    kept_.push_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < kept_.size(); ++i)
    base_[output_storages_[i]] = static_cast<std::byte*>(kept_[i].mutable_raw());
  return {};
}

Datum RunState::Read(const Place& place) const {
  if (place.storage < 0) return {};
  const auto index = static_cast<std::size_t>(place.storage);
  const Storage& storage = plan_.storages[index];
  const Datum& held = dynamic_[index];
  switch (storage.where) {
    case Where::kDynamic:
      return held;
    case Where::kInput:
    case Where::kConstant:
      if (!held.IsTensor() || place.open || held.tensor().dims() == place.dims) return held;
      return Tensor::View(place.dtype, place.dims,
                          static_cast<const std::byte*>(held.tensor().raw()) + place.offset,
                          held.tensor().owner());
    case Where::kOutput:
      return Tensor::View(place.dtype, place.dims, Address(place), held.tensor().owner());
    case Where::kArena:
      break;
  }
  if (place.block != 0) return FromBlocks(place, Address(place));
  return Tensor::View(place.dtype, place.dims, Address(place), nullptr);
}

Status RunState::Write(const Place& place, Datum value) {
  const auto index = static_cast<std::size_t>(place.storage);
  if (plan_.storages[index].where == Where::kDynamic) {
    ATH_TRY(dynamic_[index], OwnMemory(std::move(value)));
    return {};
  }
  const bool as_planned = value.IsTensor() && value.tensor().dtype() == place.dtype &&
                          value.tensor().dims() == place.dims;
  if (!as_planned) {
    return Error(ErrorCode::kInternal, "the result is {}, but inference promised {}{}",
                 Type::Of(value).ToString(), Name(place.dtype), ToString(place.dims));
  }
  if (value.tensor().bytes() > 0)
    std::memcpy(Address(place), value.tensor().raw(), value.tensor().bytes());
  return {};
}

Status RunState::RunKernel(const Step& step, ThreadPool& pool) {
  in_.clear();
  out_.clear();
  for (const Place& place : step.in) in_.push_back(Address(place));
  for (const Place& place : step.out) out_.push_back(Address(place));
  step.kernel->run({.in = in_,
                    .out = out_,
                    .state = step.prepared.state.get(),
                    .scratch = Address({.storage = step.scratch}),
                    .pool = step.alone ? &alone_ : &pool,
                    .data_error = &data_error_});
  // Read before it is exchanged, which costs as much as a small kernel.
  if (data_error_.load(std::memory_order_relaxed) == nullptr) return {};
  return DataError("{}", data_error_.exchange(nullptr, std::memory_order_relaxed));
}

Result<const ReadyNode*> RunState::Ready(std::size_t index, std::span<const Datum> inputs) {
  const Step& step = plan_.steps[index];
  const Node& node = plan_.graph.node(step.nodes.back());
  Unplanned& last = unplanned_[index];
  std::vector<std::pair<DType, Dims>> types;
  std::vector<const Tensor*> constants;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const bool tensor = inputs[i].IsTensor();
    types.emplace_back(tensor ? inputs[i].tensor().dtype() : DType::kUndefined,
                       tensor ? inputs[i].tensor().dims() : Dims());
    const std::int32_t storage = step.in[i].storage;
    const bool constant =
        storage >= 0 && plan_.storages[static_cast<std::size_t>(storage)].where == Where::kConstant;
    constants.push_back(constant ? &inputs[i].tensor() : nullptr);
  }
  const auto same_values = [&] {
    std::size_t next = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (constants[i] != nullptr || !ValueMatters(node, inputs[i])) continue;
      if (next == last.ready->known.size() || !last.ready->known[next].SameAs(inputs[i].tensor()))
        return false;
      ++next;
    }
    return next == last.ready->known.size();
  };
  if (last.ready && last.types == types && same_values()) return &*last.ready;
  last.types = std::move(types);
  last.ready.reset();
  ATH_TRY(last.ready, MakeReady(node, inputs, constants, plan_.options, *plan_.store));
  return &*last.ready;
}

Status RunState::WriteViews(const Step& step, const ReadyNode& ready, const Tensor& whole) {
  for (std::size_t i = 0; i < ready.outputs.size(); ++i) {
    const ReadyNode::Output& output = ready.outputs[i];
    if (output.dtype == DType::kUndefined) continue;
    const auto* at = static_cast<const std::byte*>(whole.raw()) + output.view_at;
    ATH_RETURN_IF_ERROR(
        Write(step.out[i], Tensor::View(output.dtype, output.dims, at, whole.owner())));
  }
  return {};
}

Status RunState::RunReady(const Step& step, const ReadyNode& ready, std::span<const Datum> inputs,
                          ThreadPool& pool) {
  if (ready.kernel->view) return WriteViews(step, ready, inputs[0].tensor());
  std::vector<const void*> in;
  for (const Datum& input : inputs) in.push_back(input.IsTensor() ? input.tensor().raw() : nullptr);
  std::vector<Tensor> outputs(ready.outputs.size());
  std::vector<void*> out;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const ReadyNode::Output& output = ready.outputs[i];
    if (output.dtype != DType::kUndefined) {
      ATH_TRY(outputs[i], Tensor::Allocate(output.dtype, output.dims));
    }
    out.push_back(outputs[i].mutable_raw());
  }
  ATH_TRY(Tensor scratch, Tensor::Allocate(DType::kU8, {ready.prepared.scratch_bytes}));
  std::int64_t found = 0;
  ready.kernel->run({.in = in,
                     .out = out,
                     .state = ready.prepared.state.get(),
                     .scratch = static_cast<std::byte*>(scratch.mutable_raw()),
                     .pool = &pool,
                     .data_error = &data_error_,
                     .found = &found});
  if (const char* problem = data_error_.exchange(nullptr, std::memory_order_relaxed))
    return DataError("{}", problem);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const ReadyNode::Output& output = ready.outputs[i];
    if (output.dtype == DType::kUndefined) continue;
    Dims dims = output.dims;
    if (output.open_axis >= 0) dims[static_cast<std::size_t>(output.open_axis)] = found;
    ATH_RETURN_IF_ERROR(
        Write(step.out[i], Tensor::View(output.dtype, dims, outputs[i].raw(), outputs[i].owner())));
  }
  return {};
}

Status RunState::RunUnplanned(std::size_t index, ThreadPool& pool, const RunHooks& hooks) {
  const Step& step = plan_.steps[index];
  std::vector<Datum> inputs;
  for (const Place& place : step.in) inputs.push_back(Read(place));
  ATH_TRY(const ReadyNode* const ready, Ready(index, inputs));
  if (ready->kernel != nullptr) return RunReady(step, *ready, inputs, pool);
  return RunReference(step, inputs, pool, hooks);
}

Status RunState::RunReference(const Step& step, std::span<const Datum> inputs, ThreadPool& pool,
                              const RunHooks& hooks) {
  const Node& node = plan_.graph.node(step.nodes.back());
  EvaluateOptions options;
  options.may_go_on = [&] { return hooks.options.MayGoOn(); };
  options.run_body = [&](const Graph& body, std::vector<Datum> of_body) {
    std::unique_ptr<BodyPlans>& plans = bodies_[&body];
    if (plans == nullptr) plans = std::make_unique<BodyPlans>(body, plan_.options, *plan_.store);
    return plans->Run(std::move(of_body), pool,
                      {.options = hooks.options, .poison = hooks.poison, .depth = hooks.depth + 1});
  };
  ATH_TRY(std::vector<Datum> outputs, EvaluateNode(node, inputs, options));
  ATH_RETURN_IF_ERROR(CheckCustomOutputs(plan_.graph, node, outputs));
  for (std::size_t i = 0; i < step.out.size(); ++i) {
    if (step.out[i].storage >= 0) ATH_RETURN_IF_ERROR(Write(step.out[i], std::move(outputs[i])));
  }
  return {};
}

void RunState::Poison(std::int32_t step) {
  for (std::size_t i = 0; i < plan_.storages.size(); ++i) {
    const Storage& storage = plan_.storages[i];
    const bool used = storage.last >= storage.first;
    if (storage.where == Where::kArena && used && storage.last == step && storage.bytes > 0)
      std::memset(base_[i], 0xFF, static_cast<std::size_t>(storage.bytes));
  }
}

namespace {

std::string TextOf(const Plan& plan, const Step& step) {
  return NodeText(plan.graph, step.nodes.front(), step.nodes.back(),
                  static_cast<std::size_t>(&step - plan.steps.data()));
}

}  // namespace

Status RunState::Before(const Step& step, Status status) const {
  if (status.ok()) return status;
  return std::move(status).In("before " + TextOf(plan_, step));
}

Status RunState::InStep(const Step& step, Status status) const {
  return std::move(status).In(TextOf(plan_, step));
}

void RunState::Release() {
  for (const std::size_t i : held_) {
    if (!dynamic_[i].IsAbsent()) dynamic_[i] = Datum();
  }
}

bool RunState::TakesLent(const Plan& plan) {
  const auto is_input = [&](const Place& place) {
    return place.storage >= 0 &&
           plan.storages[static_cast<std::size_t>(place.storage)].where == Where::kInput;
  };
  return std::none_of(plan.outputs.begin(), plan.outputs.end(), is_input) &&
         std::all_of(plan.steps.begin(), plan.steps.end(), [&](const Step& step) {
           return step.kernel != nullptr || std::none_of(step.in.begin(), step.in.end(), is_input);
         });
}

Status RunState::RunSteps(ThreadPool& pool, const RunHooks& hooks) {
  using Clock = std::chrono::steady_clock;
  if (hooks.step_times != nullptr) hooks.step_times->assign(plan_.steps.size(), {});
  for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
    const Step& step = plan_.steps[i];
    ATH_RETURN_IF_ERROR(Before(step, hooks.options.MayGoOn()));
    const auto start = hooks.step_times != nullptr ? Clock::now() : Clock::time_point();
    Status status = step.kernel != nullptr ? RunKernel(step, pool) : RunUnplanned(i, pool, hooks);
    if (!status.ok()) return InStep(step, std::move(status));
    if (hooks.step_times != nullptr) (*hooks.step_times)[i] = Clock::now() - start;
    if (hooks.observer) {
      std::vector<Datum> values;
      for (const Place& place : step.out) values.push_back(Read(place));
      hooks.observer(plan_.graph, step.nodes.back(), values);
    }
    if (hooks.poison) Poison(static_cast<std::int32_t>(i));
  }
  return {};
}

Result<std::vector<Datum>> RunState::Run(RunInputs inputs, ThreadPool& pool,
                                         const RunHooks& hooks) {
  const AtEnd release{*this};
  TakeInputs(std::move(inputs));
  ATH_RETURN_IF_ERROR(MakeOutputs());
  ATH_RETURN_IF_ERROR(RunSteps(pool, hooks));
  std::vector<Datum> outputs;
  outputs.reserve(plan_.outputs.size());
  for (const Place& place : plan_.outputs) {
    outputs.push_back(Read(place));
    const bool constant =
        place.storage >= 0 &&
        plan_.storages[static_cast<std::size_t>(place.storage)].where == Where::kConstant;
    if (constant) {  // the caller may write to it
      ATH_TRY(outputs.back(), Copy(outputs.back()));
    }
  }
  return outputs;
}

bool RunState::IsPlanned(const Place& place) const {
  if (place.storage < 0 || place.open || place.block != 0) return false;
  return plan_.storages[static_cast<std::size_t>(place.storage)].where == Where::kOutput;
}

Status RunState::RunInto(RunInputs inputs, std::span<const AnswerRoom> answers, ThreadPool& pool,
                         const RunHooks& hooks) {
  const AtEnd release{*this};
  const auto name = [&](std::size_t i) -> std::string_view {
    return plan_.graph.outputs()[i].name;
  };
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Place& place = plan_.outputs[i];
    if (IsPlanned(place))
      ATH_RETURN_IF_ERROR(CheckRoom(name(i), place.dtype, place.dims, answers[i]));
  }
  TakeInputs(std::move(inputs));
  ATH_RETURN_IF_ERROR(KeepOutputs());
  ATH_RETURN_IF_ERROR(RunSteps(pool, hooks));
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Place& place = plan_.outputs[i];
    if (!IsPlanned(place)) {
      ATH_RETURN_IF_ERROR(CopyInto(name(i), Read(place), answers[i]));
      continue;
    }
    std::size_t bytes = ElementBytes(place.dtype);
    for (const std::int64_t size : place.dims) bytes *= static_cast<std::size_t>(size);
    if (bytes > 0) std::memcpy(answers[i].data, Address(place), bytes);
  }
  return {};
}

}  // namespace athanor
