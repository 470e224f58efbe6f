// Athanor for C++17 and later, header only, over the C interface. Failures are thrown as
// athanor::Error.
//
//   #include <athanor/athanor.hpp>
//   athanor::Model net = athanor::load("digits.onnx");
//   std::vector<float> logits = net({athanor::view(pixels, {1, 1, 32, 32})})[0].to_vector<float>();
//
// Names are those of the C and Python interfaces. A Model may be run from any number of threads.
#pragma once

#include <athanor/athanor.h>

#include <chrono>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace athanor {
// Keeps these classes apart from the library's own of the same names in one program.
inline namespace cpp {

class Error : public std::runtime_error {
 public:
  explicit Error(ath_status status)
      : std::runtime_error(ath_error_text()),
        code_(status),
        where_(ath_error_where()),
        fix_(ath_error_fix()) {}
  // The number of ATH-nnnn.
  int code() const { return code_; }
  // The place in the model, outermost first.
  const std::string& where() const { return where_; }
  const std::string& fix() const { return fix_; }

 private:
  int code_;
  std::string where_, fix_;
};

namespace detail {

inline void check(ath_status status) {
  if (status != 0) throw Error(status);
}

template <class T>
constexpr int32_t dtype_of() {
  if constexpr (std::is_same_v<T, float>)
    return ATH_F32;
  else if constexpr (std::is_same_v<T, double>)
    return ATH_F64;
  else if constexpr (std::is_same_v<T, bool>)
    return ATH_BOOL;
  else if constexpr (std::is_same_v<T, const char*>)
    return ATH_STRING;
  else {
    static_assert(std::is_integral_v<T>, "not an element type");
    constexpr bool is_signed = std::is_signed_v<T>;
    if constexpr (sizeof(T) == 8)
      return is_signed ? ATH_I64 : ATH_U64;
    else if constexpr (sizeof(T) == 4)
      return is_signed ? ATH_I32 : ATH_U32;
    else if constexpr (sizeof(T) == 2)
      return is_signed ? ATH_I16 : ATH_U16;
    else
      return is_signed ? ATH_I8 : ATH_U8;
  }
}

}  // namespace detail

// Elements of the caller, not copied: they must live until the call that takes the view returns.
struct View {
  int32_t dtype = ATH_UNDEFINED;
  std::vector<int64_t> dims;
  const void* data = nullptr;
};

// Memory of the caller that an output is written to.
struct Room {
  int32_t dtype = ATH_UNDEFINED;
  std::vector<int64_t> dims;
  void* data = nullptr;
};

// Throws std::invalid_argument when the shape does not have as many elements as there are.
template <class T>
View view(const T* data, std::size_t count, std::vector<int64_t> dims) {
  std::size_t wanted = 1;
  for (const int64_t dim : dims) wanted *= static_cast<std::size_t>(dim);
  if (wanted != count) throw std::invalid_argument("the shape and the number of elements differ");
  return {detail::dtype_of<T>(), std::move(dims), data};
}
template <class T>
View view(const std::vector<T>& data, std::vector<int64_t> dims) {
  return view(data.data(), data.size(), std::move(dims));
}
template <class T>
Room room(T* data, std::size_t count, std::vector<int64_t> dims) {
  View checked = view(data, count, std::move(dims));
  return {checked.dtype, std::move(checked.dims), data};
}
template <class T>
Room room(std::vector<T>& data, std::vector<int64_t> dims) {
  return room(data.data(), data.size(), std::move(dims));
}

// One output. Shares the memory of the run it came from.
class Tensor {
 public:
  Tensor(const std::shared_ptr<ath_result>& result, int32_t index) : owner_(result) {
    tensor_.struct_size = sizeof(tensor_);
    detail::check(ath_result_output(result.get(), index, &tensor_));
  }
  Tensor(const std::shared_ptr<ath_answer>& answer, int32_t index) : owner_(answer) {
    tensor_.struct_size = sizeof(tensor_);
    detail::check(ath_answer_output(answer.get(), index, &tensor_));
  }
  int32_t dtype() const { return tensor_.dtype; }
  std::vector<int64_t> dims() const { return {tensor_.dims, tensor_.dims + tensor_.rank}; }
  std::size_t size() const {
    std::size_t count = 1;
    for (int32_t i = 0; i < tensor_.rank; ++i) count *= static_cast<std::size_t>(tensor_.dims[i]);
    return count;
  }
  // Throws std::invalid_argument when T is not the element type.
  template <class T>
  const T* data() const {
    if (tensor_.dtype != detail::dtype_of<T>())
      throw std::invalid_argument("the tensor has another element type");
    return static_cast<const T*>(tensor_.data);
  }
  template <class T>
  std::vector<T> to_vector() const {
    return {data<T>(), data<T>() + size()};
  }
  const ath_tensor& c_tensor() const { return tensor_; }

 private:
  std::shared_ptr<void> owner_;
  ath_tensor tensor_{};
};

namespace detail {

// Takes the result over.
inline std::vector<Tensor> outputs_of(ath_result* raw) {
  const std::shared_ptr<ath_result> result(raw, ath_result_destroy);
  std::vector<Tensor> outputs;
  for (int32_t i = 0; i < ath_result_num_outputs(raw); ++i) outputs.emplace_back(result, i);
  return outputs;
}

}  // namespace detail

struct ValueInfo {
  std::string name, type;  // type as text: "f32[N, 10]"
  int32_t dtype = ATH_UNDEFINED;
  std::vector<int64_t> dims;  // -1 where not a number
};

namespace detail {

inline ValueInfo read_info(const ath_value_info& info) {
  const int32_t rank = info.rank < 0 ? 0 : info.rank;
  return {info.name, info.type, info.dtype, {info.dims, info.dims + rank}};
}

// All inputs or outputs of an owner that has `count` of them.
template <class Owner>
std::vector<ValueInfo> list(const Owner* owner, int32_t count,
                            ath_status (*get)(const Owner*, int32_t, ath_value_info*)) {
  std::vector<ValueInfo> infos;
  for (int32_t i = 0; i < count; ++i) {
    ath_value_info info{};
    info.struct_size = sizeof(info);
    check(get(owner, i, &info));
    infos.push_back(read_info(info));
  }
  return infos;
}

}  // namespace detail

struct Options {
  std::string device = "cpu";  // or "cpu.0", "reference", "MULTI:A,B", ...: see athanor.h
  int threads = 0;             // 0: one per core
  int streams = 1;  // of a device: requests of Model::start that run at once, with threads each
  std::string cache = {};         // of a Model: see ath_session_options
  std::string precision = "f32";  // "bf16" and "auto" round the factors of large products
};

// A run beside the caller. Destroying it cancels a run that is not over and waits for its end.
class Request {
 public:
  // Until it is over, at most so long; whether it is.
  bool wait_for(std::chrono::microseconds time) const {
    int32_t is_over = 0;
    detail::check(ath_request_wait(request_.get(), time.count(), &is_over));
    return is_over != 0;
  }
  // Waits. Throws Error when the run failed, was cancelled (4003) or too late (4002).
  std::vector<Tensor> get() const {
    int32_t is_over = 0;
    detail::check(ath_request_wait(request_.get(), -1, &is_over));
    ath_result* result = nullptr;
    detail::check(ath_request_result(request_.get(), &result));
    return detail::outputs_of(result);
  }
  void cancel() { ath_request_cancel(request_.get()); }

 private:
  friend class Model;
  explicit Request(ath_request* request) : request_(request) {}
  struct Destroy {
    void operator()(ath_request* request) const { ath_request_destroy(request); }
  };
  std::unique_ptr<ath_request, Destroy> request_;
};

// A loaded model, ready to run. Copies share everything.
class Model {
 public:
  Model(const std::string& path, const Options& options) {
    ath_model* model = nullptr;
    detail::check(ath_load(path.c_str(), nullptr, &model));
    model_.reset(model, ath_model_destroy);
    ath_session_options session_options{};
    session_options.struct_size = sizeof(session_options);
    session_options.device = options.device.c_str();
    session_options.threads = options.threads;
    session_options.streams = options.streams;
    session_options.cache = options.cache.c_str();
    session_options.precision = options.precision.c_str();
    ath_session* session = nullptr;
    detail::check(ath_session_create(model, &session_options, &session));
    session_.reset(session, ath_session_destroy);
  }

  // One view per input, in the order of inputs().
  std::vector<Tensor> operator()(const std::vector<View>& views) const {
    const std::vector<ath_tensor> tensors = tensors_of(views);
    ath_result* result = nullptr;
    detail::check(ath_session_run(session_.get(), tensors.data(),
                                  static_cast<int32_t>(tensors.size()), &result));
    return detail::outputs_of(result);
  }

  // The same with the outputs written to the caller's memory: one room per output, in the order of
  // outputs(), of the type and shape that it has for these inputs.
  void run_into(const std::vector<View>& views, const std::vector<Room>& rooms) const {
    const std::vector<ath_tensor> tensors = tensors_of(views);
    std::vector<ath_buffer> buffers;
    for (const Room& r : rooms) {
      buffers.push_back({sizeof(ath_buffer), r.dtype, static_cast<int32_t>(r.dims.size()),
                         r.dims.data(), r.data});
    }
    detail::check(ath_session_run_into(session_.get(), tensors.data(),
                                       static_cast<int32_t>(tensors.size()), buffers.data(),
                                       static_cast<int32_t>(buffers.size())));
  }

  // The same beside the caller. The elements that the views point to must live until the request is
  // over. A deadline counts from now on; zero: none. The end of the model cancels it.
  Request start(const std::vector<View>& views, std::chrono::microseconds deadline = {}) const {
    const std::vector<ath_tensor> tensors = tensors_of(views);
    ath_request_options options{};
    options.struct_size = sizeof(options);
    options.deadline_us = deadline.count();
    ath_request* request = nullptr;
    detail::check(ath_session_start(session_.get(), tensors.data(),
                                    static_cast<int32_t>(tensors.size()), &options, &request));
    return Request(request);
  }

  // A table through a model of columns: see ath_session_score. `keep`: columns that stand before
  // the answers; `drop`: those that are no features of a model of one matrix.
  void score(ArrowArrayStream* rows, ArrowArrayStream* answers,
             const std::vector<std::string>& keep = {},
             const std::vector<std::string>& drop = {}) const {
    std::vector<const char*> kept, dropped;
    for (const std::string& name : keep) kept.push_back(name.c_str());
    for (const std::string& name : drop) dropped.push_back(name.c_str());
    ath_score_options options{};
    options.struct_size = sizeof(options);
    options.keep = kept.data();
    options.num_keep = static_cast<int32_t>(kept.size());
    options.drop = dropped.data();
    options.num_drop = static_cast<int32_t>(dropped.size());
    detail::check(ath_session_score(session_.get(), rows, &options, answers));
  }

  std::vector<ValueInfo> inputs() const {
    return detail::list(model_.get(), ath_model_num_inputs(model_.get()), ath_model_input);
  }
  std::vector<ValueInfo> outputs() const {
    return detail::list(model_.get(), ath_model_num_outputs(model_.get()), ath_model_output);
  }
  int64_t num_nodes() const { return ath_model_num_nodes(model_.get()); }
  int64_t num_parameters() const { return ath_model_num_parameters(model_.get()); }
  bool is_batchable() const { return ath_model_is_batchable(model_.get()) != 0; }
  void save(const std::string& path) const {
    detail::check(ath_model_save(model_.get(), path.c_str()));
  }

 private:
  static std::vector<ath_tensor> tensors_of(const std::vector<View>& views) {
    std::vector<ath_tensor> tensors;
    for (const View& v : views) {
      tensors.push_back({sizeof(ath_tensor), v.dtype, static_cast<int32_t>(v.dims.size()),
                         v.dims.data(), v.data});
    }
    return tensors;
  }

  std::shared_ptr<ath_model> model_;
  std::shared_ptr<ath_session> session_;
};

// Operators and converters of a shared library, for models that are loaded from now on.
inline void load_plugin(const std::string& path) { detail::check(ath_load_plugin(path.c_str())); }

inline Model load(const std::string& path, const Options& options = {}) {
  return Model(path, options);
}

// What opens a package. Empty: not needed.
struct Access {
  std::string key_file, passphrase, trust_file;
};

// What a package says about one picture.
class Answer {
 public:
  explicit Answer(ath_answer* answer) : answer_(answer, ath_answer_destroy) {}
  // {"picture": [w, h], "classes": [...]} or "boxes"
  std::string json() const { return ath_answer_json(answer_.get()); }
  // In the order of Package::outputs().
  std::vector<Tensor> outputs() const {
    std::vector<Tensor> tensors;
    for (int32_t i = 0; i < ath_answer_num_outputs(answer_.get()); ++i)
      tensors.emplace_back(answer_, i);
    return tensors;
  }

 private:
  std::shared_ptr<ath_answer> answer_;
};

// An .athpkg file made ready to run: pictures in, classes or boxes out. May be run from any number
// of threads.
class Package {
 public:
  explicit Package(const std::string& path, const Access& access = {},
                   const Options& options = {}) {
    const auto given = [](const std::string& text) {
      return text.empty() ? nullptr : text.c_str();
    };
    ath_package_options wanted{};
    wanted.struct_size = sizeof(wanted);
    wanted.key_file = given(access.key_file);
    wanted.passphrase = given(access.passphrase);
    wanted.trust_file = given(access.trust_file);
    wanted.device = options.device.c_str();
    wanted.threads = options.threads;
    wanted.precision = options.precision.c_str();
    ath_package* package = nullptr;
    detail::check(ath_package_open(path.c_str(), &wanted, &package));
    package_.reset(package, ath_package_destroy);
  }

  std::string name() const { return ath_package_name(package_.get()); }
  std::string signer() const { return ath_package_signer(package_.get()); }
  // "picture", string[N]; string[1] when an answer has any number of rows.
  ValueInfo input() const {
    ath_value_info info{};
    info.struct_size = sizeof(info);
    detail::check(ath_package_input(package_.get(), &info));
    return detail::read_info(info);
  }
  // The tensors of an answer; athanor.h names them.
  std::vector<ValueInfo> outputs() const {
    return detail::list(package_.get(), ath_package_num_outputs(package_.get()),
                        ath_package_output);
  }
  bool is_batchable() const { return ath_package_is_batchable(package_.get()) != 0; }

  // The bytes of a picture file.
  Answer run(const void* picture, std::size_t size) const {
    ath_answer* answer = nullptr;
    detail::check(ath_package_run(package_.get(), picture, size, &answer));
    return Answer(answer);
  }
  // Several, through one run of the network where it is batchable.
  std::vector<Answer> run_all(const std::vector<std::string_view>& pictures) const {
    std::vector<const void*> data;
    std::vector<std::size_t> sizes;
    for (const std::string_view picture : pictures) {
      data.push_back(picture.data());
      sizes.push_back(picture.size());
    }
    std::vector<ath_answer*> raw(pictures.size());
    detail::check(ath_package_run_all(package_.get(), data.data(), sizes.data(),
                                      static_cast<int32_t>(data.size()), raw.data()));
    return {raw.begin(), raw.end()};
  }

 private:
  std::shared_ptr<ath_package> package_;
};

inline bool is_package(const std::string& path) { return ath_is_package(path.c_str()) != 0; }

inline Package open_package(const std::string& path, const Access& access = {},
                            const Options& options = {}) {
  return Package(path, access, options);
}

struct Difference {
  bool pass = false;
  double max_abs = 0, rel_l2 = 0, cosine = 0;
};

inline Difference compare(const Tensor& actual, const View& expected, double rtol = 1e-4,
                          double atol = 1e-4) {
  const ath_tensor want = {sizeof(ath_tensor), expected.dtype,
                           static_cast<int32_t>(expected.dims.size()), expected.dims.data(),
                           expected.data};
  ath_difference difference{};
  difference.struct_size = sizeof(difference);
  detail::check(ath_compare(&actual.c_tensor(), &want, rtol, atol, &difference));
  return {difference.pass != 0, difference.max_abs, difference.rel_l2, difference.cosine};
}

}  // namespace cpp
}  // namespace athanor
