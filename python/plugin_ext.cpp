// Thin over athanor/plugin.h: a Node lets Python do what a callback in C does. What decorators mean
// is in athanor/plugins.py. Elements are copied both ways: Python may keep what it was shown.
#include "plugin_ext.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "athanor/athanor.hpp"
#include "athanor/plugin.h"
#include "element_types.h"

namespace nb = nanobind;

namespace {

// The node of a callback that is running; of one that is over, an error.
struct Node {
  const ath_host* host = nullptr;
  ath_node* node = nullptr;

  ath_node* get() const {
    if (node == nullptr) throw std::runtime_error("this node's callback is over");
    return node;
  }
  // The node remembers what went wrong; this ends the Python function.
  static void Check(ath_status status) {
    if (status != 0) throw std::runtime_error("see the error of the node");
  }
};

std::size_t BytesOf(const ath_tensor& tensor) {
  std::size_t count = static_cast<std::size_t>(kTypes[IndexOf(tensor.dtype)].bytes);
  for (int32_t i = 0; i < tensor.rank; ++i) count *= static_cast<std::size_t>(tensor.dims[i]);
  return count;
}

nb::object ShapeOf(const ath_tensor& tensor) {
  if (tensor.rank < 0) return nb::none();
  nb::object shape = nb::steal(PyTuple_New(tensor.rank));
  for (int32_t i = 0; i < tensor.rank; ++i)
    PyTuple_SET_ITEM(shape.ptr(), i, PyLong_FromLongLong(tensor.dims[i]));
  return shape;
}

nb::object ArrayOf(const ath_tensor& tensor) {
  if (tensor.data == nullptr && (tensor.rank < 0 || tensor.dtype == ATH_STRING)) return nb::none();
  const nb::module_ numpy = nb::module_::import_("numpy");
  if (tensor.dtype == ATH_STRING) {
    nb::list texts;
    std::size_t count = 1;
    for (int32_t i = 0; i < tensor.rank; ++i) count *= static_cast<std::size_t>(tensor.dims[i]);
    for (std::size_t i = 0; i < count; ++i) {
      const char* text = static_cast<const char* const*>(tensor.data)[i];
      texts.append(nb::steal<nb::str>(
          PyUnicode_DecodeUTF8(text, static_cast<Py_ssize_t>(std::strlen(text)), "replace")));
    }
    return numpy.attr("array")(texts, nb::arg("dtype") = "object").attr("reshape")(ShapeOf(tensor));
  }
  for (int32_t i = 0; i < tensor.rank; ++i) {
    if (tensor.dims[i] < 0) return nb::none();
  }
  const std::size_t bytes = BytesOf(tensor);
  if (tensor.data == nullptr && bytes > 0) return nb::none();
  nb::object array = numpy.attr("empty")(ShapeOf(tensor), kTypes[IndexOf(tensor.dtype)].name);
  Py_buffer buffer;
  if (PyObject_GetBuffer(array.ptr(), &buffer, PyBUF_WRITABLE | PyBUF_C_CONTIGUOUS) != 0)
    throw nb::python_error();
  if (bytes > 0) std::memcpy(buffer.buf, tensor.data, bytes);
  PyBuffer_Release(&buffer);
  return array;
}

// (element type, shape or None, elements or None)
nb::tuple Described(const ath_tensor& tensor) {
  return nb::make_tuple(tensor.dtype, ShapeOf(tensor), ArrayOf(tensor));
}

// A contiguous array of native numbers, held while it is read.
class Array {
 public:
  explicit Array(nb::handle array) {
    if (PyObject_GetBuffer(array.ptr(), &buffer_, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT) != 0)
      throw nb::python_error();
    dtype_ = TypeOf(buffer_);
    dims_.assign(buffer_.shape, buffer_.shape + buffer_.ndim);
  }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { PyBuffer_Release(&buffer_); }

  ath_tensor tensor() const {
    return {sizeof(ath_tensor), dtype_, static_cast<int32_t>(dims_.size()), dims_.data(),
            buffer_.buf};
  }
  std::size_t bytes() const { return static_cast<std::size_t>(buffer_.len); }

 private:
  Py_buffer buffer_;
  int32_t dtype_ = ATH_UNDEFINED;
  std::vector<int64_t> dims_;
};

template <class T>
std::vector<T> ListOf(nb::handle items) {
  std::vector<T> list;
  for (const nb::handle item : items) list.push_back(nb::cast<T>(item));
  return list;
}

std::vector<const char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  return pointers;
}

nb::object Attribute(const Node& n, const char* name, int32_t kind) {
  int64_t i = 0;
  float f = 0;
  const char* s = nullptr;
  int32_t count = 0;
  const int64_t* ints = nullptr;
  const float* floats = nullptr;
  const char* const* strings = nullptr;
  ath_tensor tensor = {sizeof(tensor), ATH_UNDEFINED, 0, nullptr, nullptr};
  switch (kind) {
    case ATH_ATTR_INT:
      n.host->get_int(n.node, name, &i);
      return nb::int_(i);
    case ATH_ATTR_FLOAT:
      n.host->get_float(n.node, name, &f);
      return nb::float_(f);
    case ATH_ATTR_STRING:
      return n.host->get_string(n.node, name, &s) != 0 ? nb::object(nb::str(s)) : nb::none();
    case ATH_ATTR_DTYPE:
      n.host->get_dtype(n.node, name, &count);
      return nb::module_::import_("numpy").attr("dtype")(kTypes[IndexOf(count)].name);
    case ATH_ATTR_INTS:
      n.host->get_ints(n.node, name, &ints, &count);
      return nb::cast(std::vector<int64_t>(ints, ints + count));
    case ATH_ATTR_FLOATS:
      n.host->get_floats(n.node, name, &floats, &count);
      return nb::cast(std::vector<float>(floats, floats + count));
    case ATH_ATTR_STRINGS:
      n.host->get_strings(n.node, name, &strings, &count);
      return nb::cast(std::vector<std::string>(strings, strings + count));
    default:
      return n.host->get_tensor(n.node, name, &tensor) != 0 ? ArrayOf(tensor) : nb::none();
  }
}

nb::dict Attributes(const Node& n) {
  nb::dict attributes;
  int32_t kind = 0;
  for (int32_t i = 0; const char* name = n.host->attribute(n.get(), i, &kind); ++i)
    attributes[name] = Attribute(n, name, kind);
  return attributes;
}

nb::tuple Input(const Node& n, int32_t index) {
  ath_tensor tensor = {sizeof(tensor), ATH_UNDEFINED, 0, nullptr, nullptr};
  Node::Check(n.host->input(n.get(), index, &tensor));
  return Described(tensor);
}

void SetOutput(const Node& n, int32_t index, int32_t dtype, nb::handle shape) {
  const std::vector<int64_t> dims =
      shape.is_none() ? std::vector<int64_t>() : ListOf<int64_t>(shape);
  const int32_t rank = shape.is_none() ? -1 : static_cast<int32_t>(dims.size());
  Node::Check(n.host->set_output(n.get(), index, dtype, rank, dims.data()));
}

// Gives output `index` these elements; plugins.py has seen to their type and shape.
void Write(const Node& n, int32_t index, nb::handle array) {
  ath_tensor shape = {sizeof(shape), ATH_UNDEFINED, 0, nullptr, nullptr};
  void* data = n.host->output(n.get(), index, &shape);
  if (shape.dtype == ATH_STRING) {
    int64_t element = 0;
    for (const std::string& text : ListOf<std::string>(array.attr("ravel")()))
      Node::Check(n.host->set_string(n.node, index, element++, text.c_str()));
    return;
  }
  const Array from(array);
  if (from.bytes() != BytesOf(shape)) throw std::runtime_error("the result has another size");
  if (from.bytes() > 0) std::memcpy(data, from.tensor().data, from.bytes());
}

// The type and shape of an output that infer has promised.
nb::tuple Promised(const Node& n, int32_t index) {
  ath_tensor shape = {sizeof(shape), ATH_UNDEFINED, 0, nullptr, nullptr};
  n.host->output(n.get(), index, &shape);
  return nb::make_tuple(shape.dtype, ShapeOf(shape));
}

int64_t Value(const Node& n, int32_t index) { return n.host->value(n.get(), index); }

nb::tuple TypeOfValue(const Node& n, int64_t value) {
  ath_tensor tensor = {sizeof(tensor), ATH_UNDEFINED, 0, nullptr, nullptr};
  Node::Check(n.host->type_of(n.get(), value, &tensor));
  return Described(tensor);
}

int64_t Constant(const Node& n, nb::handle array) {
  const Array from(array);
  const ath_tensor tensor = from.tensor();
  const int64_t value = n.host->constant(n.get(), &tensor);
  Node::Check(value == ATH_NO_VALUE ? 1 : 0);
  return value;
}

void Put(const Node& n, const char* name, nb::handle value) {
  const ath_host& host = *n.host;
  if (nb::isinstance<nb::bool_>(value) || nb::isinstance<nb::int_>(value))
    return Node::Check(host.put_int(n.node, name, PyLong_AsLongLong(value.ptr())));
  if (nb::isinstance<nb::float_>(value))
    return Node::Check(host.put_float(n.node, name, nb::cast<float>(value)));
  if (nb::isinstance<nb::str>(value))
    return Node::Check(host.put_string(n.node, name, nb::cast<std::string>(value).c_str()));
  if (PyObject_CheckBuffer(value.ptr()) != 0) {
    const Array array(value);
    const ath_tensor tensor = array.tensor();
    return Node::Check(host.put_tensor(n.node, name, &tensor));
  }
  const auto all_are = [&](PyTypeObject& type) {
    for (const nb::handle item : value) {
      if (PyObject_TypeCheck(item.ptr(), &type) == 0) return false;
    }
    return true;
  };
  const auto size = [](const auto& list) { return static_cast<int32_t>(list.size()); };
  if (all_are(PyLong_Type)) {
    const auto ints = ListOf<int64_t>(value);
    return Node::Check(host.put_ints(n.node, name, ints.data(), size(ints)));
  }
  if (all_are(PyUnicode_Type)) {
    const auto texts = ListOf<std::string>(value);
    const auto pointers = Pointers(texts);
    return Node::Check(host.put_strings(n.node, name, pointers.data(), size(pointers)));
  }
  const auto floats = ListOf<float>(value);
  Node::Check(host.put_floats(n.node, name, floats.data(), size(floats)));
}

std::vector<int64_t> Add(const Node& n, const std::string& op, const std::vector<int64_t>& inputs,
                         const nb::dict& attributes, int32_t outputs) {
  Node::Check(n.host->begin(n.get(), op.c_str()));
  for (const int64_t input : inputs) Node::Check(n.host->add_input(n.node, input));
  for (const auto& [name, value] : attributes) Put(n, nb::cast<std::string>(name).c_str(), value);
  std::vector<int64_t> made(static_cast<std::size_t>(outputs));
  Node::Check(n.host->end(n.node, made.data(), outputs));
  return made;
}

// Calls a Python function with the node, on whatever thread this is.
ath_status CallPython(const ath_host* host, ath_node* node, PyObject* function) {
  const nb::gil_scoped_acquire python;
  try {
    nb::object shown = nb::cast(Node{host, node});
    struct Over {
      nb::object& shown;
      ~Over() { nb::inst_ptr<Node>(shown)->node = nullptr; }
    } const over{shown};
    nb::borrow(function)(shown);
    return 0;
  } catch (const std::exception& error) {
    return host->fail(node, 0, error.what());
  }
}

// What an operator's callbacks call; never freed, as graphs hold on to the operator.
struct Functions {
  PyObject* infer = nullptr;
  PyObject* run = nullptr;
};

ath_status Infer(const ath_host* host, ath_node* node, void* user) {
  return CallPython(host, node, static_cast<const Functions*>(user)->infer);
}

ath_status Run(const ath_host* host, ath_node* node, void* user) {
  return CallPython(host, node, static_cast<const Functions*>(user)->run);
}

ath_status Convert(const ath_host* host, ath_node* node, void* user) {
  return CallPython(host, node, static_cast<PyObject*>(user));
}

// `inputs` and `outputs`: (name, ath_count); `attributes`: (name, ath_attr_kind, required).
void AddOp(const std::string& name, const std::string& doc, const nb::list& inputs,
           const nb::list& outputs, const nb::list& attributes, uint32_t flags, nb::object infer,
           nb::object run) {
  std::vector<std::string> texts;
  texts.reserve(inputs.size() + outputs.size() + attributes.size());
  const auto text = [&](nb::handle item) {
    return texts.emplace_back(nb::cast<std::string>(item)).c_str();
  };
  const auto ports = [&](const nb::list& list) {
    std::vector<ath_port> made;
    for (const nb::handle port : list)
      made.push_back({sizeof(ath_port), text(port[0]), nullptr, nb::cast<int32_t>(port[1])});
    return made;
  };
  const std::vector<ath_port> in = ports(inputs), out = ports(outputs);
  std::vector<ath_attr> attrs;
  for (const nb::handle attr : attributes)
    attrs.push_back({sizeof(ath_attr), text(attr[0]), nullptr, nb::cast<int32_t>(attr[1]),
                     nb::cast<int32_t>(attr[2])});
  const bool as_input = infer.is_none();
  auto functions = std::make_unique<Functions>(Functions{infer.ptr(), run.ptr()});
  const ath_op op = {
      .struct_size = sizeof(ath_op),
      .name = name.c_str(),
      .doc = doc.c_str(),
      .inputs = in.data(),
      .num_inputs = static_cast<int32_t>(in.size()),
      .outputs = out.data(),
      .num_outputs = static_cast<int32_t>(out.size()),
      .attributes = attrs.data(),
      .num_attributes = static_cast<int32_t>(attrs.size()),
      .flags = flags,
      .infer = as_input ? nullptr : Infer,
      .run = Run,
      .user = functions.get(),
  };
  const ath_plugin plugin = {.struct_size = sizeof(ath_plugin),
                             .abi = ATH_PLUGIN_ABI,
                             .name = "python",
                             .ops = &op,
                             .num_ops = 1,
                             .converters = nullptr,
                             .num_converters = 0,
                             .flags = ATH_REPLACE};
  athanor::detail::check(ath_add_plugin(&plugin));
  static_cast<void>(functions.release());
  infer.release();
  run.release();
}

void AddConverter(const std::string& format, const std::string& op, nb::object convert) {
  const ath_converter converter = {sizeof(ath_converter), format.c_str(), op.c_str(), Convert,
                                   convert.ptr()};
  const ath_plugin plugin = {.struct_size = sizeof(ath_plugin),
                             .abi = ATH_PLUGIN_ABI,
                             .name = "python",
                             .ops = nullptr,
                             .num_ops = 0,
                             .converters = &converter,
                             .num_converters = 1,
                             .flags = ATH_REPLACE};
  athanor::detail::check(ath_add_plugin(&plugin));
  convert.release();
}

}  // namespace

void DefinePlugins(nb::module_& m) {
  nb::dict types;
  for (const ElementType& type : kTypes) {
    if (*type.letters != '\0') types[nb::int_(static_cast<int>(type.dtype))] = type.name;
  }
  m.attr("dtypes") = types;
  nb::class_<Node>(m, "Node")
      .def("fail", [](const Node& n, int32_t code,
                      const std::string& message) { n.host->fail(n.get(), code, message.c_str()); })
      .def("op", [](const Node& n) { return n.host->op_name(n.get()); })
      .def("num_inputs", [](const Node& n) { return n.host->num_inputs(n.get()); })
      .def("num_outputs", [](const Node& n) { return n.host->num_outputs(n.get()); })
      .def("attributes", Attributes)
      .def("input", Input)
      .def("set_output", SetOutput, nb::arg("index"), nb::arg("dtype"), nb::arg("shape").none())
      .def("promised", Promised)
      .def("write", Write)
      .def("value", Value)
      .def("type_of", TypeOfValue)
      .def("constant", Constant)
      .def("add", Add)
      .def("give", [](const Node& n, int32_t index, int64_t value) {
        Node::Check(n.host->give(n.get(), index, value));
      });
  m.def("add_op", AddOp, nb::arg("name"), nb::arg("doc"), nb::arg("inputs"), nb::arg("outputs"),
        nb::arg("attributes"), nb::arg("flags"), nb::arg("infer").none(), nb::arg("run"));
  m.def("add_converter", AddConverter);
  m.def("load_plugin", athanor::load_plugin);
}
