#include "tools/quantize/judge.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "core/digest.h"
#include "quant/repeatable.h"
#include "runtime/session.h"
#include "tools/console.h"

namespace athanor::tools {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 30;

std::size_t BytesOf(const std::vector<Datum>& values) {
  std::size_t bytes = 0;
  for (const Datum& value : values) bytes += value.IsTensor() ? value.tensor().bytes() : 0;
  return bytes;
}

std::size_t BestOf(const Tensor& scores) {
  const Result<std::vector<double>> values = ToDoubles(scores);
  if (!values.ok() || values->empty()) return 0;
  return static_cast<std::size_t>(std::max_element(values->begin(), values->end()) -
                                  values->begin());
}

// Share of the energy of the float outputs that the others have too; 0 at least.
double SameEnergy(double energy, double error) {
  if (error == 0) return 1;
  return std::isfinite(error) && energy > 0 ? std::max(0.0, 1 - error / energy) : 0;
}

void AddDifference(const std::vector<Datum>& real, const std::vector<Datum>& other, double& energy,
                   double& error) {
  for (std::size_t i = 0; i < real.size(); ++i) {
    if (!real[i].IsTensor() || real[i].tensor().dtype() != DType::kF32) continue;
    const Tensor &a = real[i].tensor(), &b = other[i].tensor();
    if (a.dims() != b.dims() || b.dtype() != DType::kF32) {
      error = INFINITY;
      continue;
    }
    const auto x = a.Data<float>(), y = b.Data<float>();
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double was = x[j], away = was - y[j];
      energy += was * was;
      error += away * away;
    }
  }
}

// A table was given, or the archive holds an array of them.
Result<bool> HasLabels(const QuantizeRequest& request) {
  if (!request.labels.empty()) return true;
  return HoldLabels(request.data);
}

}  // namespace

SampleCache::SampleCache(std::size_t count, quant::SampleSource read)
    : read_(std::move(read)), kept_(count) {}

Result<std::vector<Datum>> SampleCache::Read(std::size_t i) {
  if (kept_[i]) return *kept_[i];
  ATH_TRY(std::vector<Datum> values, read_(i));
  const std::size_t bytes = BytesOf(values);
  if (bytes_ + bytes <= kMostBytes) {
    bytes_ += bytes;
    kept_[i] = values;
  }
  return values;
}

Result<std::uint64_t> SampleCache::DigestOf(std::size_t i) {
  ATH_TRY(const std::vector<Datum> values, Read(i));
  std::uint64_t digest = 0;
  for (const Datum& value : values) {
    if (!value.IsTensor()) continue;
    const auto* bytes = static_cast<const std::uint8_t*>(value.tensor().raw());
    digest = digest * 31 + Digest64({bytes, value.tensor().bytes()});
  }
  return digest;
}

Result<Judge> Judge::Open(const Graph& graph, const QuantizeRequest& request, const Common& common,
                          SampleCache& calibration, std::size_t& samples) {
  Judge judge(request, common);
  const ImageFlags& image = request.classify.image;
  ATH_TRY(const bool labelled, HasLabels(request));
  if (labelled) {
    ATH_TRY(judge.labelled_,
            OpenLabelled(graph, request.data, request.labels, image, request.limit));
    const LabelledSet& rows = *judge.labelled_;
    NoteLeftOut(common, rows, request.labels, request.data);
    if (graph.inputs().size() != 1)
      return Error(ErrorCode::kInvalidInput, "accuracy needs a model with one input, this has {}",
                   graph.inputs().size());
    const Type type = graph.value(graph.inputs()[0]).type;
    std::vector<std::string> paths;
    for (const LabelledPicture& row : rows.rows) paths.push_back(row.path);
    auto archive = rows.archive ? std::make_shared<Samples>(*rows.archive) : nullptr;
    judge.reads_pictures_ = archive == nullptr || archive->ReadPixels();
    judge.cache_ = std::make_unique<SampleCache>(
        rows.rows.size(),
        [paths, archive, type, image](std::size_t i) -> Result<std::vector<Datum>> {
          if (archive != nullptr) return archive->ReadFinite(i);
          Result<Tensor> picture = ReadNetworkImage(paths[i], type, image);
          if (!picture.ok()) return std::move(picture).status().In(paths[i]);
          return std::vector<Datum>{*std::move(picture)};
        });
  } else if (!request.data.empty()) {
    const std::int64_t most = request.limit > 0 ? request.limit : std::int64_t{1} << 30;
    ATH_TRY(Samples rows, Samples::Open(graph, request.data, image, most));
    auto shared = std::make_shared<Samples>(std::move(rows));
    judge.reads_pictures_ = shared->ReadPixels();
    judge.cache_ = std::make_unique<SampleCache>(
        shared->count(), [shared](std::size_t i) { return shared->ReadFinite(i); });
  } else {
    const std::size_t kept = samples / 4;
    if (kept == 0)
      return Error(ErrorCode::kInvalidInput,
                   "{} samples are too few to calibrate on some and measure agreement on others",
                   samples)
          .Fix("--data says what to measure on, or 4 samples at least");
    samples -= kept;
    judge.cache_ = std::make_unique<SampleCache>(
        kept,
        [&calibration, begin = samples](std::size_t i) { return calibration.Read(begin + i); });
  }
  ATH_RETURN_IF_ERROR(judge.CheckOptions());
  if (!request.data.empty()) ATH_RETURN_IF_ERROR(judge.CheckOverlap(calibration, samples));
  ATH_RETURN_IF_ERROR(judge.RateFloat(graph));
  return judge;
}

Status Judge::CheckOptions() const {
  const QuantizeRequest& request = *request_;
  if (labelled() && request.agree == "class")
    return Error(ErrorCode::kUsage,
                 "--agree class does not go with --data {}, whose labels say what is right",
                 request.data);
  if (!labelled() && request.classify.label_offset != 0)
    return Error(ErrorCode::kUsage, "--label-offset does not go with {}, which has no labels",
                 request.data.empty() ? "--calib " + request.calib : "--data " + request.data);
  if (!labelled() && request.agree == "values" && !request.classify.output.empty())
    return Error(ErrorCode::kUsage,
                 "--output does not go with --agree values, which compares all outputs where there "
                 "are no labels")
        .Fix("--agree class");
  return {};
}

Status Judge::CheckOverlap(SampleCache& calibration, std::size_t samples) {
  std::set<std::uint64_t> digests;
  for (std::size_t i = 0; i < samples; ++i) {
    ATH_TRY(const std::uint64_t digest, calibration.DigestOf(i));
    digests.insert(digest);
  }
  std::size_t both = 0;
  for (std::size_t i = 0; i < cache_->count(); ++i) {
    ATH_TRY(const std::uint64_t digest, cache_->DigestOf(i));
    both += digests.contains(digest) ? 1 : 0;
  }
  if (both == 0) return {};
  if (request_->allow_overlap) {
    Note(*common_, "note: {} of {} rows of --data were calibrated on", both, cache_->count());
    return {};
  }
  return Error(ErrorCode::kInvalidInput,
               "{} of {} rows of {} are also in {}: accuracy would be measured on what was "
               "calibrated on",
               both, cache_->count(), request_->data, request_->calib)
      .Fix("other rows for one of the two, or --allow-overlap");
}

Status Judge::RateFloat(const Graph& graph) {
  const Result<std::size_t> scores = ScoreOutput(graph, request_->classify.output);
  if (labelled() || request_->agree == "class") ATH_RETURN_IF_ERROR(scores.status());
  has_classes_ = scores.ok() && (labelled() || request_->agree == "class");
  output_ = scores.ok() ? *scores : 0;
  ATH_TRY(real_, Rate(graph));
  if (!labelled()) {
    real_.value = 1;
    return {};
  }
  const ClassifyScore& score = real_.score;
  const std::int64_t shifted = std::max(score.one_more, score.one_less);
  if (shifted > score.top1)
    Note(*common_,
         "note: the labels seem to be off by one: {} rows fit with --label-offset {}, {} as they "
         "are",
         shifted, request_->classify.label_offset + (score.one_more == shifted ? 1 : -1),
         score.top1);
  return {};
}

Result<Verdict> Judge::Rate(const Graph& graph) {
  ATH_TRY(const auto session,
          Session::Create(graph.Clone(), quant::RepeatableOn(request_->threads)));
  const bool first = evaluations_++ == 0;
  Verdict verdict;
  double energy = 0, error = 0;
  Progress progress(*common_, first ? "accuracy of float" : "accuracy",
                    static_cast<std::int64_t>(rows()));
  for (std::size_t row = 0; row < rows(); ++row) {
    ATH_TRY(std::vector<Datum> inputs, cache_->Read(row));
    ATH_TRY(std::vector<Datum> outputs, session->Run(std::move(inputs)));
    progress.Advance();
    if (has_classes_) {
      if (!outputs[output_].IsTensor())
        return Error(ErrorCode::kInvalidInput, "the output is no tensor");
      const std::size_t best = BestOf(outputs[output_].tensor());
      if (first) best_.push_back(best);
      verdict.same_class += best == best_[row] ? 1 : 0;
    }
    if (labelled()) {
      const LabelledPicture& picture = labelled_->rows[row];
      const std::int64_t before = verdict.score.top1;
      Status added = AddToScore(picture, outputs[output_].tensor(), request_->classify.label_offset,
                                verdict.score);
      if (!added.ok()) return std::move(added).In(picture.file);
      verdict.right.push_back(verdict.score.top1 > before);
    } else if (first) {
      outputs_.push_back(std::move(outputs));
    } else {
      AddDifference(outputs_[row], outputs, energy, error);
    }
  }
  const auto n = static_cast<double>(std::max<std::size_t>(1, rows()));
  verdict.value = labelled()     ? static_cast<double>(verdict.score.top1) / n
                  : has_classes_ ? static_cast<double>(verdict.same_class) / n
                                 : SameEnergy(energy, error);
  return verdict;
}

Paired ComparePaired(const std::vector<bool>& first, const std::vector<bool>& second) {
  Paired paired;
  for (std::size_t i = 0; i < std::min(first.size(), second.size()); ++i) {
    paired.only_first += first[i] && !second[i] ? 1 : 0;
    paired.only_second += second[i] && !first[i] ? 1 : 0;
  }
  // 2 * sum of C(n, k) / 2^n up to the smaller of the two, in logarithms.
  const auto n = static_cast<double>(paired.only_first + paired.only_second);
  const auto least = static_cast<double>(std::min(paired.only_first, paired.only_second));
  double sum = 0;
  for (double k = 0; k <= least; ++k)
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) -
                    n * std::log(2.0));
  paired.p = std::min(1.0, 2 * sum);
  return paired;
}

}  // namespace athanor::tools
