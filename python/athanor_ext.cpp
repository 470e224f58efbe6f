// The Python module's compiled part: thin over the C++ header. Arrays cross without a copy in both
// directions.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>

#include "athanor/athanor.hpp"

namespace nb = nanobind;

namespace {

// NumPy's view of our element types; those NumPy does not have come as unsigned integers of their
// bits.
nb::dlpack::dtype NumpyType(int32_t dtype) {
  using Code = nb::dlpack::dtype_code;
  const auto make = [](Code code, int bits) {
    return nb::dlpack::dtype{static_cast<uint8_t>(code), static_cast<uint8_t>(bits), 1};
  };
  switch (static_cast<ath_dtype>(dtype)) {
    case ATH_F64:
      return make(Code::Float, 64);
    case ATH_F32:
      return make(Code::Float, 32);
    case ATH_F16:
      return make(Code::Float, 16);
    case ATH_BF16:
      return make(Code::UInt, 16);
    case ATH_I64:
      return make(Code::Int, 64);
    case ATH_I32:
      return make(Code::Int, 32);
    case ATH_I16:
      return make(Code::Int, 16);
    case ATH_I8:
    case ATH_I4:
    case ATH_I2:
      return make(Code::Int, 8);
    case ATH_U64:
      return make(Code::UInt, 64);
    case ATH_U32:
      return make(Code::UInt, 32);
    case ATH_U16:
      return make(Code::UInt, 16);
    case ATH_BOOL:
      return make(Code::Bool, 8);
    case ATH_C64:
      return make(Code::Complex, 64);
    case ATH_C128:
      return make(Code::Complex, 128);
    default:
      return make(Code::UInt, 8);
  }
}

nb::object ToPython(const athanor::Tensor& tensor) {
  const std::vector<int64_t> dims = tensor.dims();
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
  auto* keep = new athanor::Tensor(tensor);
  const nb::capsule owner(keep, [](void* p) noexcept { delete static_cast<athanor::Tensor*>(p); });
  const std::vector<std::size_t> shape(dims.begin(), dims.end());
  return nb::cast(nb::ndarray<nb::numpy>(const_cast<void*>(tensor.c_tensor().data), shape.size(),
                                         shape.data(), owner, nullptr, NumpyType(tensor.dtype())));
}

using Array = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

athanor::View ViewOf(const Array& array, int32_t dtype) {
  athanor::View view{dtype, {}, array.data()};
  for (std::size_t i = 0; i < array.ndim(); ++i)
    view.dims.push_back(static_cast<int64_t>(array.shape(i)));
  return view;
}

// `arrays` are C-contiguous; `dtypes` are their ath_dtype numbers.
std::vector<athanor::View> ViewsOf(const std::vector<Array>& arrays,
                                   const std::vector<int32_t>& dtypes) {
  std::vector<athanor::View> views;
  for (std::size_t i = 0; i < arrays.size(); ++i) views.push_back(ViewOf(arrays[i], dtypes[i]));
  return views;
}

nb::list ToPython(const std::vector<athanor::Tensor>& outputs) {
  nb::list list;
  for (const athanor::Tensor& output : outputs) list.append(ToPython(output));
  return list;
}

nb::list Run(const athanor::Model& model, const std::vector<Array>& arrays,
             const std::vector<int32_t>& dtypes) {
  const std::vector<athanor::View> views = ViewsOf(arrays, dtypes);
  std::vector<athanor::Tensor> outputs;
  {
    const nb::gil_scoped_release other_threads_may_run;
    outputs = model(views);
  }
  return ToPython(outputs);
}

// A request, and the arrays that it reads.
struct Request {
  std::vector<Array> arrays;
  athanor::Request request;
};

Request* Start(const athanor::Model& model, const std::vector<Array>& arrays,
               const std::vector<int32_t>& dtypes, int64_t deadline_us) {
  return new Request{arrays,
                     model.start(ViewsOf(arrays, dtypes), std::chrono::microseconds(deadline_us))};
}

nb::list ResultOf(const Request& request) {
  std::vector<athanor::Tensor> outputs;
  {
    const nb::gil_scoped_release other_threads_may_run;
    outputs = request.request.get();
  }
  return ToPython(outputs);
}

nb::dict Info(const athanor::ValueInfo& info) {
  nb::dict entry;
  entry["name"] = info.name;
  entry["type"] = info.type;
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
  nb::list list;
  for (const athanor::Answer& answer : answers) {
    list.append(nb::make_tuple(answer.json(), ToPython(answer.outputs())));
  }
  return list;
}

}  // namespace

NB_MODULE(_athanor, m) {
  m.attr("version") = ath_version();
  nb::exception<athanor::Error>(m, "Error", PyExc_RuntimeError);
  nb::class_<athanor::Model>(m, "Model")
      .def("__init__",
           [](athanor::Model* self, const std::string& path, const std::string& device, int threads,
              int streams) {
             new (self) athanor::Model(path, {device, threads, streams});
           })
      .def("run", Run)
      .def("start", Start)
      .def("inputs", [](const athanor::Model& model) { return Infos(model.inputs()); })
      .def("outputs", [](const athanor::Model& model) { return Infos(model.outputs()); })
      .def("num_nodes", &athanor::Model::num_nodes)
      .def("num_parameters", &athanor::Model::num_parameters)
      .def("is_batchable", &athanor::Model::is_batchable)
      .def("save", &athanor::Model::save);
  nb::class_<Request>(m, "Request")
      .def("result", ResultOf)
      .def("wait",
           [](const Request& request, int64_t microseconds) {
             const nb::gil_scoped_release other_threads_may_run;
             return request.request.wait_for(std::chrono::microseconds(microseconds));
           })
      .def("cancel", [](Request& request) { request.request.cancel(); });
  nb::class_<athanor::Package>(m, "Package")
      .def("__init__",
           [](athanor::Package* self, const std::string& path, const std::string& key,
              const std::string& passphrase, const std::string& trust, const std::string& device,
              int threads) {
             new (self) athanor::Package(path, {key, passphrase, trust}, {device, threads});
           })
      .def("run_all", RunAll)
      .def("input", [](const athanor::Package& package) { return Info(package.input()); })
      .def("outputs", [](const athanor::Package& package) { return Infos(package.outputs()); })
      .def("is_batchable", &athanor::Package::is_batchable)
      .def("name", &athanor::Package::name)
      .def("signer", &athanor::Package::signer);
  m.def("is_package", athanor::is_package);
}
