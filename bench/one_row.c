/* One row at a time through the C interface, in a loop of this process: the least of many short
 * windows, because a machine that does other things lengthens most of them. Inputs of f32: a matrix
 * [N, features], or columns [N, 1].
 *
 *   cc -O2 -Iinclude bench/one_row.c -Lbuild/test/src/api -lathanor -o /tmp/one_row
 *
 *   LD_LIBRARY_PATH=build/test/src/api /tmp/one_row MODEL
 */
#include <athanor/athanor.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kRows = 64, kMostFeatures = 4096, kWindows = 400, kRuns = 200 };

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

int main(int argc, char** argv) {
  static float x[kRows][kMostFeatures];
  static ath_tensor inputs[kMostFeatures];
  static int64_t dims[kMostFeatures][2];
  ath_model* model = NULL;
  ath_session* session = NULL;
  Check(ath_load(argc > 1 ? argv[1] : "", NULL, &model));
  const ath_session_options options = {
      .struct_size = sizeof(options), .device = "cpu", .threads = 1};
  Check(ath_session_create(model, &options, &session));
  const int count = ath_model_num_inputs(model);
  int64_t features = 0;
  for (int i = 0; i < count; ++i) {
    ath_value_info info = {.struct_size = sizeof(info)};
    Check(ath_model_input(model, i, &info));
    dims[i][0] = 1;
    dims[i][1] = info.rank == 2 ? info.dims[1] : -1;
    features += dims[i][1];
    if (info.dtype != ATH_F32 || dims[i][1] < 1 || features > kMostFeatures ||
        count > kMostFeatures) {
      fprintf(stderr, "input %s is %s; f32[N, features] is expected\n", info.name, info.type);
      return 1;
    }
  }
  srand(3);
  for (int row = 0; row < kRows; ++row)
    for (int64_t i = 0; i < features; ++i) x[row][i] = ((float)rand() / (float)RAND_MAX - 0.5F) * 4;
  double best = 1e9, sum = 0;
  for (int window = 0; window < kWindows; ++window) {
    const double begin = Microseconds();
    for (int run = 0; run < kRuns; ++run) {
      int64_t at = 0;
      for (int i = 0; i < count; at += dims[i++][1]) {
        const ath_tensor input = {sizeof(input), ATH_F32, 2, dims[i], &x[run % kRows][at]};
        inputs[i] = input;
      }
      ath_result* result = NULL;
      ath_tensor answer = {.struct_size = sizeof(answer)};
      Check(ath_session_run(session, inputs, count, &result));
      Check(ath_result_output(result, 0, &answer));
      sum += *(const unsigned char*)answer.data;
      ath_result_destroy(result);
    }
    const double each = (Microseconds() - begin) / kRuns;
    if (each < best) best = each;
  }
  printf("%.2f us a row (%g)\n", best, sum);
  ath_session_destroy(session);
  ath_model_destroy(model);
  return 0;
}
