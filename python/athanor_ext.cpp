// The Python module's compiled part: thin over the C++ header. Arrays cross without a copy in both
// directions, through Python's buffers: a call costs about a microsecond.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <optional>

#include "api/arrow/abi.h"
#include "athanor/athanor.hpp"
#include "element_types.h"
#include "plugin_ext.h"

namespace nb = nanobind;

namespace {

// What of NumPy makes an array, looked up once.
struct NumPy {
  nb::object array = nb::module_::import_("numpy").attr("ndarray");
  std::vector<nb::object> types;  // as kTypes

  NumPy() {
    const nb::object make = nb::module_::import_("numpy").attr("dtype");
    for (const ElementType& type : kTypes) types.push_back(make(type.name));
  }
};

// The memory of an output, for NumPy to look into.
struct Memory {
  athanor::Tensor tensor;
};

int GetMemory(PyObject* self, Py_buffer* buffer, int flags) {
  const athanor::Tensor& tensor = nb::inst_ptr<Memory>(self)->tensor;
  const auto bytes = static_cast<Py_ssize_t>(tensor.size()) * kTypes[IndexOf(tensor.dtype())].bytes;
  return PyBuffer_FillInfo(buffer, self, const_cast<void*>(tensor.c_tensor().data), bytes, 0,
                           flags);
}

PyType_Slot kMemorySlots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(GetMemory)}, {0, nullptr}};

nb::object ToPython(const NumPy& numpy, const athanor::Tensor& tensor) {
  if (tensor.dtype() == ATH_STRING) {
    nb::list texts;
    const char* const* data = tensor.data<const char*>();
    for (std::size_t i = 0; i < tensor.size(); ++i) {
      // Labels of old files are Latin-1 or worse.
      texts.append(nb::steal<nb::str>(
          PyUnicode_DecodeUTF8(data[i], static_cast<Py_ssize_t>(std::strlen(data[i])), "replace")));
    }
    return texts;
  }
  const ath_tensor& view = tensor.c_tensor();
  nb::object shape = nb::steal(PyTuple_New(view.rank));
  for (int32_t i = 0; i < view.rank; ++i)
    PyTuple_SET_ITEM(shape.ptr(), i, PyLong_FromLongLong(view.dims[i]));
  return numpy.array(shape, numpy.types[IndexOf(tensor.dtype())], nb::cast(Memory{tensor}));
}

// Names in files need not be UTF-8: what is not comes as Python has it in names of files.
nb::str Text(const std::string& text) {
  return nb::steal<nb::str>(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape"));
}

// A loaded model and what its inputs and outputs are called.
struct Net {
  athanor::Model model;
  NumPy numpy;
  std::vector<nb::str> inputs, outputs;

  explicit Net(athanor::Model loaded) : model(std::move(loaded)) {
    for (const athanor::ValueInfo& info : model.inputs()) inputs.push_back(Name(info));
    for (const athanor::ValueInfo& info : model.outputs()) outputs.push_back(Name(info));
  }
  static nb::str Name(const athanor::ValueInfo& info) {
    PyObject* name = Text(info.name).release().ptr();
    PyUnicode_InternInPlace(&name);  // found by its address in the caller's dict
    return nb::steal<nb::str>(name);
  }
  nb::dict Named(const std::vector<athanor::Tensor>& values) const {
    nb::dict named;
    for (std::size_t i = 0; i < values.size(); ++i) named[outputs[i]] = ToPython(numpy, values[i]);
    return named;
  }
};

// The caller's arrays, held while they are read, or written.
class Inputs {
 public:
  Inputs() = default;
  Inputs(const Inputs&) = delete;
  Inputs& operator=(const Inputs&) = delete;
  ~Inputs() {
    for (Py_buffer& buffer : buffers_) PyBuffer_Release(&buffer);
  }

  // Whether `arrays` is a dict of just the arrays of these names, each as it must lie in memory.
  // What is wrong with another one, or makes it so, is the business of __init__.py.
  bool Take(const std::vector<nb::str>& names, nb::handle arrays, bool write = false) {
    if (!PyDict_Check(arrays.ptr())) return false;
    if (static_cast<std::size_t>(PyDict_GET_SIZE(arrays.ptr())) != names.size()) return false;
    buffers_.reserve(names.size());  // a Py_buffer must not move
    for (const nb::str& name : names) {
      PyObject* array = PyDict_GetItemWithError(arrays.ptr(), name.ptr());
      if (array == nullptr || !Add(array, write)) {
        PyErr_Clear();
        return false;
      }
    }
    return true;
  }
  const std::vector<athanor::View>& views() const { return views_; }
  // Of arrays that were taken to be written.
  std::vector<athanor::Room> rooms() const {
    std::vector<athanor::Room> rooms;
    for (const athanor::View& view : views_)
      rooms.push_back({view.dtype, view.dims, const_cast<void*>(view.data)});
    return rooms;
  }

 private:
  bool Add(PyObject* array, bool write) {
    Py_buffer buffer;
    const int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (write ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(array, &buffer, flags) != 0) return false;
    buffers_.push_back(buffer);
    const ath_dtype dtype = TypeOf(buffer);
    if (dtype == ATH_UNDEFINED) return false;
    const Py_ssize_t part = dtype == ATH_C64 || dtype == ATH_C128 ? 2 : 1;
    if (reinterpret_cast<std::uintptr_t>(buffer.buf) %
            static_cast<std::size_t>(buffer.itemsize / part) !=
        0)
      return false;
    views_.push_back({dtype, {buffer.shape, buffer.shape + buffer.ndim}, buffer.buf});
    return true;
  }

  std::vector<Py_buffer> buffers_;
  std::vector<athanor::View> views_;
};

// None: see Inputs::Take.
nb::object Run(const Net& net, nb::handle arrays) {
  Inputs inputs;
  if (!inputs.Take(net.inputs, arrays)) return nb::none();
  std::vector<athanor::Tensor> outputs;
  {
    const nb::gil_scoped_release other_threads_may_run;
    outputs = net.model(inputs.views());
  }
  return net.Named(outputs);
}

// False: see Inputs::Take.
bool RunInto(const Net& net, nb::handle arrays, nb::handle outputs) {
  Inputs inputs, written;
  if (!inputs.Take(net.inputs, arrays) || !written.Take(net.outputs, outputs, true)) return false;
  const nb::gil_scoped_release other_threads_may_run;
  net.model.run_into(inputs.views(), written.rooms());
  return true;
}

// A request, and the arrays that it reads.
struct Request {
  const Net& net;
  Inputs inputs;
  std::optional<athanor::Request> request;

  ~Request() {
    // It waits for a node that runs, which may be one in Python.
    const nb::gil_scoped_release other_threads_may_run;
    request.reset();
  }
};

std::unique_ptr<Request> Start(const Net& net, nb::handle arrays, int64_t deadline_us) {
  std::unique_ptr<Request> made(new Request{net, {}, {}});
  if (!made->inputs.Take(net.inputs, arrays)) return nullptr;
  made->request = net.model.start(made->inputs.views(), std::chrono::microseconds(deadline_us));
  return made;
}

nb::dict ResultOf(const Request& request) {
  std::vector<athanor::Tensor> outputs;
  {
    const nb::gil_scoped_release other_threads_may_run;
    outputs = request.request->get();
  }
  return request.net.Named(outputs);
}

// A table crosses as Arrow's PyCapsules: no library of it is needed here. The structs are those of
// its C interface (api/arrow/abi.h says where they come from).
constexpr const char* kStreamName = "arrow_array_stream";

void DestroyStream(PyObject* capsule) {
  auto* stream = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(capsule, kStreamName));
  if (stream->release != nullptr) stream->release(stream);
  delete stream;
}

nb::object Score(const Net& net, nb::handle rows, const std::vector<std::string>& keep,
                 const std::vector<std::string>& drop) {
  auto* table = static_cast<ArrowArrayStream*>(PyCapsule_GetPointer(rows.ptr(), kStreamName));
  if (table == nullptr) throw nb::python_error();
  auto answers = std::make_unique<ArrowArrayStream>();
  {
    const nb::gil_scoped_release other_threads_may_run;
    net.model.score(table, answers.get(), keep, drop);
  }
  nb::object capsule = nb::steal(PyCapsule_New(answers.get(), kStreamName, DestroyStream));
  if (capsule.is_valid()) answers.release();
  return capsule;
}

nb::dict Info(const athanor::ValueInfo& info) {
  nb::dict entry;
  entry["name"] = Text(info.name);
  entry["type"] = Text(info.type);
  entry["dtype"] = info.dtype;
  entry["shape"] = info.dims;
  return entry;
}

nb::list Infos(const std::vector<athanor::ValueInfo>& infos) {
  nb::list list;
  for (const athanor::ValueInfo& info : infos) list.append(Info(info));
  return list;
}

// Of each picture: the JSON and the tensors.
nb::list RunAll(const athanor::Package& package, const std::vector<nb::bytes>& pictures) {
  std::vector<std::string_view> files;
  for (const nb::bytes& picture : pictures) files.emplace_back(picture.c_str(), picture.size());
  std::vector<athanor::Answer> answers;
  {
    const nb::gil_scoped_release other_threads_may_run;
    answers = package.run_all(files);
  }
  const NumPy numpy;
  nb::list list;
  for (const athanor::Answer& answer : answers) {
    nb::list outputs;
    for (const athanor::Tensor& output : answer.outputs()) outputs.append(ToPython(numpy, output));
    list.append(nb::make_tuple(answer.json(), outputs));
  }
  return list;
}

}  // namespace

NB_MODULE(_athanor, m) {
  m.attr("version") = ath_version();
  nb::exception<athanor::Error>(m, "Error", PyExc_RuntimeError);
  nb::class_<Memory>(m, "Memory", nb::type_slots(kMemorySlots));
  nb::class_<Net>(m, "Model")
      .def("__init__",
           [](Net* self, const std::string& path, const std::string& device, int threads,
              int streams, const std::string& cache, const std::string& precision) {
             std::optional<athanor::Model> model;
             {
               // Operators in Python may be called from other threads meanwhile.
               const nb::gil_scoped_release other_threads_may_run;
               model.emplace(path, athanor::Options{device, threads, streams, cache, precision});
             }
             new (self) Net(*std::move(model));
           })
      .def("run", Run)
      .def("run_into", RunInto)
      .def("start", Start, nb::keep_alive<0, 1>())
      .def("score", Score)
      .def("inputs", [](const Net& net) { return Infos(net.model.inputs()); })
      .def("outputs", [](const Net& net) { return Infos(net.model.outputs()); })
      .def("num_nodes", [](const Net& net) { return net.model.num_nodes(); })
      .def("num_parameters", [](const Net& net) { return net.model.num_parameters(); })
      .def("is_batchable", [](const Net& net) { return net.model.is_batchable(); })
      .def("save", [](const Net& net, const std::string& path) { net.model.save(path); });
  nb::class_<Request>(m, "Request")
      .def("result", ResultOf)
      .def("wait",
           [](const Request& request, int64_t microseconds) {
             const nb::gil_scoped_release other_threads_may_run;
             return request.request->wait_for(std::chrono::microseconds(microseconds));
           })
      .def("cancel", [](Request& request) { request.request->cancel(); });
  nb::class_<athanor::Package>(m, "Package")
      .def("__init__",
           [](athanor::Package* self, const std::string& path, const std::string& key,
              const std::string& passphrase, const std::string& trust, const std::string& device,
              int threads, const std::string& precision) {
             const nb::gil_scoped_release other_threads_may_run;
             new (self) athanor::Package(path, {key, passphrase, trust},
                                         {device, threads, 1, "", precision});
           })
      .def("run_all", RunAll)
      .def("input", [](const athanor::Package& package) { return Info(package.input()); })
      .def("outputs", [](const athanor::Package& package) { return Infos(package.outputs()); })
      .def("is_batchable", &athanor::Package::is_batchable)
      .def("name", &athanor::Package::name)
      .def("signer", &athanor::Package::signer);
  m.def("is_package", athanor::is_package);
  DefinePlugins(m);
}
