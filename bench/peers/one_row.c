/* One run as a C program makes it, behind one call: of Python's share there is as much as with the
 * peers' interfaces, which take a row and give its number in one call too. */
#include <athanor/athanor.h>

/* The first number of the first output into *value, of f32 or f64 as the model gives it. 0 or a
 * status. */
int32_t athanor_first_number(ath_session* session, const ath_tensor* inputs, int32_t num_inputs,
                             double* value) {
  ath_result* result;
  ath_status status = ath_session_run(session, inputs, num_inputs, &result);
  if (status != 0) return status;
  ath_tensor answer = {.struct_size = sizeof(answer)};
  status = ath_result_output(result, 0, &answer);
  if (status == 0)
    *value =
        answer.dtype == ATH_F32 ? (double)*(const float*)answer.data : *(const double*)answer.data;
  ath_result_destroy(result);
  return status;
}
