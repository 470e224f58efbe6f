// The functions that a plug-in calls back, as the table it is given. No exception passes.
#include <exception>

#include "api/caller_struct.h"
#include "api/plugin_node.h"

using athanor::AttrValue;
using athanor::DType;
using athanor::Error;
using athanor::ErrorCode;
using athanor::Result;
using athanor::Status;
using athanor::Tensor;

namespace {

// A status for the plug-in; the node remembers why.
template <class F>
ath_status Tell(ath_node* node, F&& body) noexcept {
  try {
    Status status = body();
    return status.ok() ? 0 : node->Fail(std::move(status));
  } catch (const std::exception& exception) {
    return node->Fail(Error(ErrorCode::kResource, "{}", exception.what()));
  }
}

template <class F>
ath_value TellValue(ath_node* node, F&& body) noexcept {
  ath_value value = ATH_NO_VALUE;
  static_cast<void>(Tell(node, [&]() -> Status {
    ATH_TRY(value, body());
    return {};
  }));
  return value;
}

// The attribute when the node has it and it is of this kind.
template <class T>
const T* Attribute(const ath_node* node, const char* name) {
  const AttrValue* value = name == nullptr ? nullptr : node->attributes().Find(name);
  return value == nullptr ? nullptr : std::get_if<T>(value);
}

std::int32_t GetInt(ath_node* node, const char* name, std::int64_t* value) {
  const auto* found = Attribute<std::int64_t>(node, name);
  if (found != nullptr) *value = *found;
  return found != nullptr ? 1 : 0;
}

std::int32_t GetFloat(ath_node* node, const char* name, float* value) {
  std::int64_t whole = 0;
  const auto* found = Attribute<float>(node, name);
  if (found != nullptr) {
    *value = *found;
  } else if (GetInt(node, name, &whole) != 0) {
    *value = static_cast<float>(whole);
  } else {
    return 0;
  }
  return 1;
}

template <class T>
std::int32_t Give(const T* values, std::size_t size, const T** value, std::int32_t* count) {
  *value = values;
  *count = static_cast<std::int32_t>(size);
  return 1;
}

std::int32_t GetInts(ath_node* node, const char* name, const std::int64_t** value,
                     std::int32_t* count) {
  if (const auto* list = Attribute<std::vector<std::int64_t>>(node, name))
    return Give(list->data(), list->size(), value, count);
  const auto* one = Attribute<std::int64_t>(node, name);
  return one != nullptr ? Give(one, 1, value, count) : 0;
}

std::int32_t GetFloats(ath_node* node, const char* name, const float** value, std::int32_t* count) {
  if (const auto* list = Attribute<std::vector<float>>(node, name))
    return Give(list->data(), list->size(), value, count);
  if (const auto* one = Attribute<float>(node, name)) return Give(one, 1, value, count);
  const std::int64_t* whole = nullptr;
  std::int32_t size = 0;
  if (GetInts(node, name, &whole, &size) == 0) return 0;
  const ath_status status = Tell(node, [&]() -> Status {
    *value = node->Floats({whole, static_cast<std::size_t>(size)});
    return {};
  });
  *count = size;
  return status == 0 ? 1 : 0;
}

std::int32_t GetString(ath_node* node, const char* name, const char** value) {
  const auto* found = Attribute<std::string>(node, name);
  if (found != nullptr) *value = found->c_str();
  return found != nullptr ? 1 : 0;
}

std::int32_t GetDType(ath_node* node, const char* name, std::int32_t* value) {
  const auto* found = Attribute<DType>(node, name);
  if (found != nullptr) *value = static_cast<std::int32_t>(*found);
  return found != nullptr ? 1 : 0;
}

std::int32_t GetStrings(ath_node* node, const char* name, const char* const** value,
                        std::int32_t* count) {
  const auto* found = Attribute<std::vector<std::string>>(node, name);
  if (found == nullptr) return 0;
  const ath_status status = Tell(node, [&]() -> Status {
    *value = node->Texts(*found);
    return {};
  });
  *count = static_cast<std::int32_t>(found->size());
  return status == 0 ? 1 : 0;
}

std::int32_t GetTensor(ath_node* node, const char* name, ath_tensor* value) {
  const auto* found = Attribute<Tensor>(node, name);
  if (found == nullptr) return 0;
  return Tell(node, [&] { return node->Show(*found, value); }) == 0 ? 1 : 0;
}

void* GetOutput(ath_node* node, std::int32_t index, ath_tensor* shape) {
  void* data = nullptr;
  static_cast<void>(Tell(node, [&] { return node->Output(index, shape, &data); }));
  return data;
}

ath_status Put(ath_node* node, const char* name, AttrValue value) {
  return Tell(node, [&] { return node->Put(name, std::move(value)); });
}

template <class T>
ath_status PutList(ath_node* node, const char* name, const T* value, std::int32_t count) {
  using Item = std::conditional_t<std::is_same_v<T, const char*>, std::string, T>;
  return Tell(node, [&]() -> Status {
    if (count < 0 || (count > 0 && value == nullptr))
      return Error(node->OtherCode(), "the plug-in puts a list of {} numbers", count);
    return node->Put(name, std::vector<Item>(value, value + count));
  });
}

ath_status PutString(ath_node* node, const char* name, const char* value) {
  return Put(node, name, std::string(value == nullptr ? "" : value));
}

ath_status PutStrings(ath_node* node, const char* name, const char* const* value,
                      std::int32_t count) {
  for (std::int32_t i = 0; value != nullptr && i < count; ++i) {
    if (value[i] == nullptr) return node->Say(0, "the plug-in puts a text that is NULL");
  }
  return PutList(node, name, value, count);
}

ath_status PutDType(ath_node* node, const char* name, std::int32_t value) {
  if (value <= ATH_UNDEFINED || value > ATH_C128)
    return node->Say(0, "the plug-in puts an element type that is none");
  return Put(node, name, static_cast<DType>(value));
}

ath_status PutTensor(ath_node* node, const char* name, const ath_tensor* value) {
  return Tell(node, [&]() -> Status {
    if (value == nullptr) return Error(node->OtherCode(), "the plug-in puts a tensor that is NULL");
    ATH_TRY(const Tensor view, athanor::ImportTensor(*value));
    ATH_TRY(Tensor copy, view.Clone());
    return node->Put(name, std::move(copy));
  });
}

// The kinds of attributes have the numbers of ath_attr_kind but for that of a type, which plug-ins
// do not see.
const char* NameAttribute(ath_node* node, std::int32_t index, std::int32_t* kind) {
  for (const auto& [name, value] : node->attributes()) {
    if (KindOf(value) == athanor::AttrKind::kType || index-- != 0) continue;
    if (kind != nullptr) *kind = static_cast<std::int32_t>(KindOf(value));
    return name.c_str();
  }
  return nullptr;
}

constexpr ath_host kHost = {
    .struct_size = sizeof(ath_host),
    .abi = ATH_PLUGIN_ABI,
    .fail = [](ath_node* n, ath_status code, const char* message) { return n->Say(code, message); },
    .op_name = [](const ath_node* n) { return n->op().c_str(); },
    .num_inputs = [](const ath_node* n) { return static_cast<int32_t>(n->num_inputs()); },
    .num_outputs = [](const ath_node* n) { return static_cast<int32_t>(n->num_outputs()); },
    .input = [](ath_node* n, int32_t i,
                ath_tensor* tensor) { return Tell(n, [&] { return n->Input(i, tensor); }); },
    .get_int = GetInt,
    .get_float = GetFloat,
    .get_string = GetString,
    .get_dtype = GetDType,
    .get_ints = GetInts,
    .get_floats = GetFloats,
    .get_strings = GetStrings,
    .get_tensor = GetTensor,
    .set_output =
        [](ath_node* n, int32_t i, int32_t dtype, int32_t rank, const int64_t* dims) {
          return Tell(n, [&] { return n->SetOutput(i, dtype, rank, dims); });
        },
    .output = GetOutput,
    .set_string =
        [](ath_node* n, int32_t i, int64_t element, const char* text) {
          return Tell(n, [&] { return n->SetString(i, element, text); });
        },
    .value = [](ath_node* n, int32_t i) { return TellValue(n, [&] { return n->Value(i); }); },
    .type_of = [](ath_node* n, ath_value value,
                  ath_tensor* tensor) { return Tell(n, [&] { return n->TypeOf(value, tensor); }); },
    .constant =
        [](ath_node* n, const ath_tensor* tensor) {
          return TellValue(n, [&] { return n->Constant(tensor); });
        },
    .begin = [](ath_node* n, const char* op) { return Tell(n, [&] { return n->Begin(op); }); },
    .add_input = [](ath_node* n,
                    ath_value value) { return Tell(n, [&] { return n->AddInput(value); }); },
    .put_int = [](ath_node* n, const char* name, int64_t value) { return Put(n, name, value); },
    .put_float = [](ath_node* n, const char* name, float value) { return Put(n, name, value); },
    .put_string = PutString,
    .put_dtype = PutDType,
    .put_ints = PutList<int64_t>,
    .put_floats = PutList<float>,
    .put_strings = PutStrings,
    .put_tensor = PutTensor,
    .end = [](ath_node* n, ath_value* outputs,
              int32_t count) { return Tell(n, [&] { return n->End(outputs, count); }); },
    .give = [](ath_node* n, int32_t i,
               ath_value value) { return Tell(n, [&] { return n->Give(i, value); }); },
    .attribute = NameAttribute,
};

}  // namespace

const ath_host& athanor::PluginHost() { return kHost; }
