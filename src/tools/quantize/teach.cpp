#include "tools/quantize/teach.h"

#include "quant/repeatable.h"
#include "runtime/session.h"
#include "train/distill.h"

namespace athanor::tools {
namespace {

Result<std::vector<std::vector<Datum>>> AnswersOf(const Graph& real, std::size_t count,
                                                  const quant::SampleSource& source, int threads) {
  ATH_TRY(const auto session, Session::Create(real.Clone(), quant::RepeatableOn(threads)));
  std::vector<std::vector<Datum>> answers;
  for (std::size_t i = 0; i < count; ++i) {
    ATH_TRY(std::vector<Datum> inputs, source(i));
    ATH_TRY(answers.emplace_back(), session->Run(std::move(inputs)));
    for (const Datum& answer : answers.back()) {
      if (!answer.IsTensor() || answer.tensor().dtype() != DType::kF32 ||
          answer.tensor().count() == 0)
        return Unsupported("outputs that are no tensors of f32 cannot be learnt");
    }
  }
  return answers;
}

}  // namespace

quant::TeacherOf TeachBy(const Graph& real, std::size_t count, const quant::SampleSource& source,
                         int threads) {
  return [&real, count, &source, threads](
             const Graph& student,
             const std::vector<ValueId>& constants) -> Result<quant::Teacher> {
    ATH_TRY(const Graph teacher, train::WithoutLastSoftmax(real));
    ATH_TRY(const Graph learner, train::WithoutLastSoftmax(student));
    ATH_TRY(auto answers, AnswersOf(teacher, count, source, threads));
    const std::vector<Tensor> factors = train::BalancedFactors(answers);
    ATH_TRY(const std::vector<Datum> first, source(0));
    Result<train::Distiller> opened =
        train::Distiller::Open(learner, constants, first, factors, threads);
    if (!opened.ok()) return std::move(opened).status().In("--tune");
    auto distiller = std::make_shared<train::Distiller>(*std::move(opened));
    auto kept = std::make_shared<std::vector<std::vector<Datum>>>(std::move(answers));
    return quant::Teacher([distiller, kept, &source](
                              std::size_t sample,
                              const std::vector<Tensor>& values) -> Result<quant::Derivatives> {
      ATH_TRY(std::vector<Datum> inputs, source(sample));
      ATH_TRY(train::Lesson lesson, distiller->Learn(std::move(inputs), (*kept)[sample], values));
      return quant::Derivatives{.loss = lesson.loss, .of = std::move(lesson.derivatives)};
    });
  };
}

}  // namespace athanor::tools
