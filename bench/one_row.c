/* One row at a time through the C interface, in a loop of this process: the least of many short
 * windows, because a machine that does other things lengthens most of them. 4096 rows take turns: a
 * processor that sees one again and again learns its way through the trees. Inputs of f32 or f64: a
 * matrix [N, features], or columns [N, 1]; the first output is one number a row.
 *
 *   cc -O2 -Iinclude bench/one_row.c -Lbuild/test/src/api -lathanor -o /tmp/one_row
 *
 *   LD_LIBRARY_PATH=build/test/src/api /tmp/one_row MODEL
 */
#include <athanor/athanor.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kRows = 4096, kMostFeatures = 4096, kRuns = 256, kRounds = 40 };

static ath_session* session;
static ath_tensor inputs[kMostFeatures];
static int64_t dims[kMostFeatures][2];
static int32_t count;
static ath_buffer answer;
static double number;

static double Microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static void Check(ath_status status) {
  if (status == 0) return;
  fprintf(stderr, "%s\n", ath_error_text());
  exit(1);
}

static void IntoMemory(void) { Check(ath_session_run_into(session, inputs, count, &answer, 1)); }

static void WithResult(void) {
  ath_result* result = NULL;
  ath_tensor output = {.struct_size = sizeof(output)};
  Check(ath_session_run(session, inputs, count, &result));
  Check(ath_result_output(result, 0, &output));
  number = *(const float*)output.data;
  ath_result_destroy(result);
}

/* The mean over the rows of the least time of each window of them. */
static void Measure(const char* what, void (*run)(void), char* rows, int64_t row_bytes,
                    int64_t element_bytes) {
  double best[kRows / kRuns], sum = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int window = 0; window < kRows / kRuns; ++window) {
      const double begin = Microseconds();
      for (int i = 0; i < kRuns; ++i) {
        const char* data = rows + (window * kRuns + i) * row_bytes;
        for (int at = 0; at < count; ++at) {
          inputs[at].data = data;
          data += dims[at][1] * element_bytes;
        }
        run();
      }
      const double each = (Microseconds() - begin) / kRuns;
      if (round == 0 || each < best[window]) best[window] = each;
    }
  }
  for (int window = 0; window < kRows / kRuns; ++window) sum += best[window];
  printf("%.2f us a row by %s\n", sum / (kRows / kRuns), what);
}

/* The inputs without their data; how many features there are. */
static int64_t Describe(const ath_model* model) {
  static const int64_t ones[4] = {1, 1, 1, 1};
  int64_t features = 0;
  ath_value_info info = {.struct_size = sizeof(info)};
  count = ath_model_num_inputs(model);
  for (int i = 0; i < count && i < kMostFeatures; ++i) {
    Check(ath_model_input(model, i, &info));
    const int64_t width = info.rank == 2 ? info.dims[1] : -1;
    dims[i][0] = 1;
    dims[i][1] = width;
    inputs[i] = (ath_tensor){sizeof(ath_tensor), info.dtype, 2, dims[i], NULL};
    const int is_real = info.dtype == ATH_F32 || info.dtype == ATH_F64;
    if (!is_real || width < 1 || (features += width) > kMostFeatures) {
      fprintf(stderr, "input %s is %s; f32[N, features] or f64 is expected\n", info.name,
              info.type);
      exit(1);
    }
  }
  Check(ath_model_output(model, 0, &info));
  answer = (ath_buffer){sizeof(answer), info.dtype, info.rank, ones, &number};
  return features;
}

int main(int argc, char** argv) {
  ath_model* model = NULL;
  Check(ath_load(argc > 1 ? argv[1] : "", NULL, &model));
  const ath_session_options options = {
      .struct_size = sizeof(options), .device = "cpu", .threads = 1};
  Check(ath_session_create(model, &options, &session));
  const int64_t features = Describe(model);
  const int64_t element_bytes = inputs[0].dtype == ATH_F32 ? 4 : 8;
  char* const rows = malloc((size_t)(kRows * features * element_bytes));
  if (rows == NULL) return 1;
  srand(3);
  for (int64_t i = 0; i < kRows * features; ++i) {
    const double x = ((double)rand() / RAND_MAX - 0.5) * 4;
    if (element_bytes == 4)
      ((float*)rows)[i] = (float)x;
    else
      ((double*)rows)[i] = x;
  }
  Measure("ath_session_run_into", IntoMemory, rows, features * element_bytes, element_bytes);
  Measure("ath_session_run", WithResult, rows, features * element_bytes, element_bytes);
  free(rows);
  ath_session_destroy(session);
  ath_model_destroy(model);
  return 0;
}
