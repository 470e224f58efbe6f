#include <algorithm>

#include "core/rows.h"
#include "io/image.h"
#include "serve/c_interface.h"

namespace athanor::serve {
namespace {

// Small pictures become large tensors: a request must not take all memory.
constexpr std::int64_t kMostPictures = 256;

class PackageEngine final : public Engine {
 public:
  Status Load(const std::string& path, const ModelOptions& options, const Access& access);

  bool HasRows() const override { return inputs_[0].shape[0] < 0; }
  Result<std::vector<Tensor>> Run(std::span<const Tensor> inputs) const override;
  Result<std::vector<std::vector<Tensor>>> RunStacked(
      std::span<const std::vector<Tensor>* const> requests) const override;

 private:
  std::string WhyNotStacked() const override;
  void WarmUp() const override;
  // The outputs of each picture.
  Result<std::vector<std::vector<Tensor>>> RunPictures(std::span<const std::string> files) const;

  std::shared_ptr<ath_package> package_;
};

Status PackageEngine::Load(const std::string& path, const ModelOptions& options,
                           const Access& access) {
  const auto given = [](const std::string& text) { return text.empty() ? nullptr : text.c_str(); };
  ath_package_options wanted{};
  wanted.struct_size = sizeof(wanted);
  wanted.key_file = given(access.key_file);
  wanted.passphrase = given(access.passphrase);
  wanted.trust_file = given(access.trust_file);
  wanted.device = options.device.c_str();
  wanted.threads = options.threads;
  wanted.precision = options.precision.c_str();
  ath_package* package = nullptr;
  if (const ath_status code = ath_package_open(path.c_str(), &wanted, &package); code != 0)
    return LastError(code);
  package_.reset(package, ath_package_destroy);
  ath_value_info info{};
  info.struct_size = sizeof(info);
  if (const ath_status code = ath_package_input(package, &info); code != 0) return LastError(code);
  ATH_TRY(Port input, ToPort(info));
  input.is_file = true;
  inputs_.push_back(std::move(input));
  for (std::int32_t i = 0; i < ath_package_num_outputs(package); ++i) {
    if (const ath_status code = ath_package_output(package, i, &info); code != 0)
      return LastError(code);
    ATH_TRY(Port output, ToPort(info));
    outputs_.push_back(std::move(output));
  }
  return {};
}

std::string PackageEngine::WhyNotStacked() const {
  if (ath_package_is_batchable(package_.get()) != 0) return "";
  return "the network takes one picture, or its rows depend on each other";
}

void PackageEngine::WarmUp() const {
  constexpr std::int64_t kEdge = 64;
  const Tensor grey = Tensor::FromVector<std::uint8_t>(
      {kEdge, kEdge, 1}, std::vector<std::uint8_t>(static_cast<std::size_t>(kEdge * kEdge), 128));
  const Result<std::vector<std::uint8_t>> png = io::EncodePng(grey);
  if (!png.ok()) return;
  for (std::int64_t count = 1; count <= max_batch(); count *= 2) {
    const std::vector<std::string> files(static_cast<std::size_t>(count),
                                         std::string(png->begin(), png->end()));
    // Such a picture may be too small for the package; real requests will tell.
    if (!RunPictures(files).ok()) return;
  }
}

Result<std::vector<std::vector<Tensor>>> PackageEngine::RunPictures(
    std::span<const std::string> files) const {
  std::vector<const void*> data;
  std::vector<std::size_t> sizes;
  for (const std::string& file : files) {
    data.push_back(file.data());
    sizes.push_back(file.size());
  }
  std::vector<ath_answer*> raw(files.size());
  const ath_status code = ath_package_run_all(package_.get(), data.data(), sizes.data(),
                                              static_cast<std::int32_t>(files.size()), raw.data());
  if (code != 0) {
    const Status status = LastError(code);
    // A file that is damaged is the request's fault here, not the package's.
    if (status.code() != ErrorCode::kCorruptFile) return status;
    return Error(ErrorCode::kInvalidInput, "{}", status.message()).In(status.where());
  }
  std::vector<std::shared_ptr<ath_answer>> answers;
  for (ath_answer* answer : raw) answers.emplace_back(answer, ath_answer_destroy);
  std::vector<std::vector<Tensor>> outputs;
  for (const std::shared_ptr<ath_answer>& answer : answers) {
    std::vector<Tensor>& row = outputs.emplace_back();
    for (std::int32_t i = 0; i < ath_answer_num_outputs(answer.get()); ++i) {
      ath_tensor output{};
      output.struct_size = sizeof(output);
      if (const ath_status failed = ath_answer_output(answer.get(), i, &output); failed != 0)
        return LastError(failed);
      ATH_TRY(Tensor tensor, ToTensor(output, answer));
      row.push_back(std::move(tensor));
    }
  }
  return outputs;
}

// The rows of all pictures behind each other, output by output.
Result<std::vector<Tensor>> Joined(std::span<const std::vector<Tensor>> pictures) {
  if (pictures.size() == 1) return pictures[0];
  std::vector<Tensor> outputs;
  for (std::size_t i = 0; i < pictures[0].size(); ++i) {
    std::vector<Tensor> parts;
    for (const std::vector<Tensor>& picture : pictures) parts.push_back(picture[i]);
    ATH_TRY(Tensor joined, StackRows(parts));
    outputs.push_back(std::move(joined));
  }
  return outputs;
}

Result<std::vector<Tensor>> PackageEngine::Run(std::span<const Tensor> inputs) const {
  const std::span<const std::string> files = inputs[0].Data<std::string>();
  if (files.empty() || inputs[0].count() > kMostPictures) {
    return Error(ErrorCode::kInvalidInput, "{} pictures are given; 1 to {} are accepted",
                 files.size(), kMostPictures);
  }
  const auto most = static_cast<std::size_t>(max_batch());
  std::vector<std::vector<Tensor>> pictures;
  for (std::size_t at = 0; at < files.size(); at += most) {
    ATH_TRY(std::vector<std::vector<Tensor>> some,
            RunPictures(files.subspan(at, std::min(most, files.size() - at))));
    std::move(some.begin(), some.end(), std::back_inserter(pictures));
  }
  return Joined(pictures);
}

Result<std::vector<std::vector<Tensor>>> PackageEngine::RunStacked(
    std::span<const std::vector<Tensor>* const> requests) const {
  std::vector<std::string> files;
  for (const std::vector<Tensor>* request : requests) {
    const auto more = (*request)[0].Data<std::string>();
    files.insert(files.end(), more.begin(), more.end());
  }
  if (files.empty()) return Error(ErrorCode::kInvalidInput, "no pictures are given");
  ATH_TRY(const std::vector<std::vector<Tensor>> pictures, RunPictures(files));
  const std::size_t each = files.size() / requests.size();
  std::vector<std::vector<Tensor>> answers;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    ATH_TRY(std::vector<Tensor> outputs, Joined(std::span(pictures).subspan(i * each, each)));
    answers.push_back(std::move(outputs));
  }
  return answers;
}

}  // namespace

Result<std::unique_ptr<Engine>> OpenPackage(const std::string& path, const ModelOptions& options,
                                            const Access& access) {
  auto made = std::make_unique<PackageEngine>();
  ATH_RETURN_IF_ERROR(made->Load(path, options, access));
  return std::unique_ptr<Engine>(std::move(made));
}

}  // namespace athanor::serve
