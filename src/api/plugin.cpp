#include "api/plugin.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <set>

#include "api/caller_struct.h"
#include "api/plugin_node.h"
#include "core/text.h"
#include "ops/catalog.h"

namespace athanor {
namespace {

constexpr std::int32_t kMostEntries = 10'000;  // of any list of a plug-in

// How much of each struct the first version of plugin.h had.
constexpr std::size_t kPluginSize = offsetof(ath_plugin, flags) + sizeof(std::uint32_t);
constexpr std::size_t kOpSize = offsetof(ath_op, user) + sizeof(void*);
constexpr std::size_t kConverterSize = offsetof(ath_converter, user) + sizeof(void*);
constexpr std::size_t kPortSize = offsetof(ath_port, count) + sizeof(std::int32_t);
constexpr std::size_t kAttrSize = offsetof(ath_attr, required) + sizeof(std::int32_t);

Status BadPlugin(std::string text) { return {ErrorCode::kUsage, std::move(text)}; }

std::string Text(const char* text) { return text == nullptr ? "" : text; }

// An array of structs whose writer may know more fields than we do.
template <class T>
Status ReadList(const char* type, const T* list, std::int32_t count, std::size_t needed,
                const std::function<Status(const T&)>& read) {
  if (count < 0 || count > kMostEntries || (count > 0 && list == nullptr))
    return BadPlugin(fmt::format("a list has {} entries of {}{}", count, type,
                                 count > 0 && list == nullptr ? " and is NULL" : ""));
  const std::size_t stride = count > 0 ? list->struct_size : 0;
  for (std::int32_t i = 0; i < count; ++i) {
    ATH_RETURN_IF_ERROR(CheckStructSize(type, static_cast<std::uint32_t>(stride), needed));
    const auto* bytes =
        reinterpret_cast<const std::byte*>(list) + static_cast<std::size_t>(i) * stride;
    const auto& entry = *reinterpret_cast<const T*>(bytes);
    if (stride % alignof(T) != 0 || entry.struct_size != stride)
      return BadPlugin(fmt::format("struct_size of {} {} is {}; all state the same one", type, i,
                                   entry.struct_size));
    ATH_RETURN_IF_ERROR(read(entry));
  }
  return {};
}

class PluginOp : public CustomOp {
 public:
  PluginOp(const ath_op& op, bool makes_outputs)
      : name_(op.name),
        infer_(op.infer),
        run_(op.run),
        user_(op.user),
        makes_outputs_(makes_outputs) {}

  Status Infer(InferCtx& ctx) const override {
    if (infer_ == nullptr) {
      std::fill(ctx.out.begin(), ctx.out.end(), ctx.In(0));
      return {};
    }
    return ath_node(ctx, name_).Call(infer_, user_, "infer");
  }

  Status Run(RefCtx& ctx) const override {
    ath_node node(ctx, name_, makes_outputs_);
    const std::vector<Datum> promised = std::exchange(ctx.out, std::vector<Datum>(ctx.out.size()));
    for (std::size_t i = 0; !makes_outputs_ && i < promised.size(); ++i) {
      const Tensor& tensor = promised[i].tensor();
      ATH_RETURN_IF_ERROR(node.AllocateGuarded(i, tensor.dtype(), tensor.dims()));
    }
    return node.Call(run_, user_, "run");
  }

 private:
  const std::string name_;
  const ath_node::Callback infer_, run_;
  void* const user_;
  const bool makes_outputs_;
};

Result<std::vector<Port>> ReadPorts(const ath_port* list, std::int32_t count, bool are_inputs) {
  std::vector<Port> ports;
  const auto read = [&](const ath_port& port) -> Status {
    const std::string name = Text(port.name);
    if (name.empty()) return BadPlugin("a port has no name");
    if (!ports.empty() && ports.back().flag == kVariadicPort)
      return BadPlugin(fmt::format("port \"{}\" follows one that takes any number", name));
    if (port.count < ATH_ONE || port.count > ATH_ANY_NUMBER)
      return BadPlugin(fmt::format("port \"{}\" has count {}", name, port.count));
    ports.push_back({name, Text(port.doc), static_cast<PortFlag>(port.count)});
    return {};
  };
  ATH_RETURN_IF_ERROR(ReadList<ath_port>("ath_port", list, count, kPortSize, read));
  if (ports.empty() && !are_inputs) return BadPlugin("it has no outputs");
  return ports;
}

Result<std::vector<AttrSpec>> ReadAttributes(const ath_op& op) {
  // The kinds that plug-ins see have the same numbers here.
  static_assert(static_cast<int>(AttrKind::kInt) == ATH_ATTR_INT &&
                static_cast<int>(AttrKind::kStrings) == ATH_ATTR_STRINGS &&
                static_cast<int>(AttrKind::kTensor) == ATH_ATTR_TENSOR);
  std::vector<AttrSpec> specs;
  const auto read = [&](const ath_attr& attr) -> Status {
    const std::string name = Text(attr.name);
    const bool is_new = std::none_of(specs.begin(), specs.end(),
                                     [&](const AttrSpec& spec) { return spec.name == name; });
    if (name.empty() || !is_new)
      return BadPlugin(name.empty() ? "an attribute has no name"
                                    : fmt::format("attribute \"{}\" stands twice", name));
    if (attr.kind < ATH_ATTR_INT || attr.kind > ATH_ATTR_TENSOR)
      return BadPlugin(fmt::format("attribute \"{}\" has kind {}", name, attr.kind));
    specs.push_back({.name = name,
                     .kind = static_cast<AttrKind>(attr.kind),
                     .required = attr.required != 0,
                     .doc = Text(attr.doc)});
    return {};
  };
  ATH_RETURN_IF_ERROR(
      ReadList<ath_attr>("ath_attr", op.attributes, op.num_attributes, kAttrSize, read));
  return specs;
}

struct NewOp {
  OpDef def;
  std::unique_ptr<const CustomOp> code;
};

Result<NewOp> ReadOp(const ath_op& op) {
  constexpr std::uint32_t kFlags = ATH_NOT_PURE | ATH_DATA_DEPENDENT;
  if (op.run == nullptr) return BadPlugin("it has no run");
  if ((op.flags & ~kFlags) != 0) return BadPlugin(fmt::format("its flags are {:#x}", op.flags));
  const bool makes_outputs = (op.flags & ATH_DATA_DEPENDENT) != 0;
  ATH_TRY(std::vector<Port> inputs, ReadPorts(op.inputs, op.num_inputs, true));
  ATH_TRY(std::vector<Port> outputs, ReadPorts(op.outputs, op.num_outputs, false));
  ATH_TRY(std::vector<AttrSpec> attributes, ReadAttributes(op));
  const bool has_first = !inputs.empty() && inputs[0].flag == kRequiredPort;
  if (op.infer == nullptr && (!has_first || makes_outputs))
    return BadPlugin("it has no infer, and no input 0 that all outputs could be like");
  return NewOp{.def = {.name = op.name,
                       .summary = Text(op.doc),
                       .inputs = std::move(inputs),
                       .outputs = std::move(outputs),
                       .attributes = std::move(attributes),
                       .traits = ((op.flags & ATH_NOT_PURE) != 0 ? kRandom : kPure) |
                                 (makes_outputs ? kDataDependent : Traits{0})},
               .code = std::make_unique<PluginOp>(op, makes_outputs)};
}

Status CheckOpName(const std::string& name, bool replace) {
  ATH_RETURN_IF_ERROR(ops::CheckCustomName(name));
  for (const std::string_view taken : {"ai.onnx::", "athanor::"}) {
    if (name.starts_with(taken))
      return BadPlugin("this domain is taken: operators of plug-ins have one of their own");
  }
  if (IsReadBy("onnx", name)) return BadPlugin("there is such an operator already, a built-in one");
  if (!replace && ops::Standard().Find(name) != nullptr)
    return BadPlugin("another plug-in has brought such an operator already");
  return {};
}

// Names that stand twice in one table.
Status CheckTwice(std::set<std::string>& names, const std::string& name) {
  return names.insert(name).second ? Status() : BadPlugin("it stands twice in the table");
}

Result<std::vector<NewOp>> ReadOps(const ath_plugin& plugin, bool replace) {
  std::vector<NewOp> made;
  std::set<std::string> names;
  const auto read = [&](const ath_op& op) -> Status {
    const std::string name = Text(op.name);
    const auto checked = [&]() -> Status {
      ATH_RETURN_IF_ERROR(CheckOpName(name, replace));
      ATH_RETURN_IF_ERROR(CheckTwice(names, name));
      ATH_TRY(NewOp read_op, ReadOp(op));
      made.push_back(std::move(read_op));
      return {};
    };
    return checked().In(fmt::format("operator {}", name));
  };
  ATH_RETURN_IF_ERROR(ReadList<ath_op>("ath_op", plugin.ops, plugin.num_ops, kOpSize, read));
  return made;
}

Result<std::vector<NewConverter>> ReadConverters(const ath_plugin& plugin, bool replace) {
  std::vector<NewConverter> converters;
  std::set<std::string> names;
  const auto read = [&](const ath_converter& from) -> Status {
    NewConverter made = {Text(from.format), Text(from.op), {}};
    const std::string place = fmt::format("converter {} {}", made.format, made.op);
    if (from.convert == nullptr) return BadPlugin("it has no convert").In(place);
    Status status = CheckConverter(made, replace);
    if (status.ok()) status = CheckTwice(names, place);
    if (!status.ok()) return std::move(status).In(place);
    made.convert = std::make_shared<const Converter>(
        [convert = from.convert, user = from.user](ForeignNode& node) -> Status {
          return ath_node(node).Call(convert, user, "convert");
        });
    converters.push_back(std::move(made));
    return {};
  };
  ATH_RETURN_IF_ERROR(ReadList<ath_converter>("ath_converter", plugin.converters,
                                              plugin.num_converters, kConverterSize, read));
  return converters;
}

Status AddTable(const ath_plugin& plugin) {
  ATH_RETURN_IF_ERROR(CheckStructSize("ath_plugin", plugin.struct_size, kPluginSize));
  if (plugin.abi != ATH_PLUGIN_ABI)
    return Unsupported("it was made for version {} of the plug-in interface; this is version {}",
                       plugin.abi, ATH_PLUGIN_ABI)
        .Fix("compile it with this version's include/athanor/plugin.h");
  if ((plugin.flags & ~std::uint32_t{ATH_REPLACE}) != 0)
    return BadPlugin(fmt::format("its flags are {:#x}", plugin.flags));
  const bool replace = (plugin.flags & ATH_REPLACE) != 0;
  // All of it is checked before any of it is added; nobody else adds meanwhile.
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  ATH_TRY(std::vector<NewOp> new_ops, ReadOps(plugin, replace));
  ATH_TRY(std::vector<NewConverter> converters, ReadConverters(plugin, replace));
  for (NewOp& op : new_ops) ops::AddCustom(std::move(op.def), std::move(op.code));
  AddConverters(std::move(converters));
  return {};
}

// A shared library that is let go of when it turns out to be none of ours.
struct Library {
  void* handle = nullptr;

  explicit Library(const std::string& path) : handle(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {}
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;
  ~Library() {
    if (handle != nullptr) dlclose(handle);
  }
};

Status LoadLibrary(const std::string& path) {
  constexpr const char* kEntry = "ath_plugin_entry";
  Library library(path);
  if (library.handle == nullptr)
    return Error(ErrorCode::kCorruptFile, "it cannot be loaded as a shared library: {}", dlerror());
  static std::mutex mutex;
  static std::set<void*> loaded;
  const std::lock_guard lock(mutex);
  if (loaded.count(library.handle) != 0) return {};
  const auto entry = reinterpret_cast<ath_plugin_entry_fn>(dlsym(library.handle, kEntry));
  if (entry == nullptr)
    return Unsupported("this shared library is no plug-in: it exports no {}", kEntry)
        .Fix(fmt::format("define {}, which athanor/plugin.h declares", kEntry));
  const ath_plugin* plugin = entry(ATH_PLUGIN_ABI);
  if (plugin == nullptr)
    return Unsupported("the plug-in says that it cannot serve version {} of the interface",
                       ATH_PLUGIN_ABI);
  ATH_RETURN_IF_ERROR(AddTable(*plugin));
  loaded.insert(std::exchange(library.handle, nullptr));
  return {};
}

}  // namespace

Status LoadPlugin(const std::string& path) {
  // A bare name would be looked for in the system's folders.
  std::error_code failed;
  const std::filesystem::path file = std::filesystem::absolute(path, failed);
  if (failed || !std::filesystem::is_regular_file(file, failed))
    return Error(ErrorCode::kFileNotFound, "{}: there is no such file", path);
  return LoadLibrary(file.string()).In(path);
}

Status AddPlugin(const ath_plugin& plugin) {
  return AddTable(plugin).In(fmt::format("plug-in \"{}\"", Text(plugin.name)));
}

}  // namespace athanor
