/* A plug-in with one operator, my::Roll, which turns a tensor's rows around by `shift` places along
 * the last axis, and a converter that reads Caffe's layers of type "Roll" as that operator.
 *
 *   gcc -std=c11 -O2 -shared -fPIC -I include examples/plugin/roll.c -o roll.so
 */
#include <athanor/plugin.h>
#include <string.h>

/* The output is as the input: its sizes may still be symbols here. */
static ath_status Infer(const ath_host* host, ath_node* node, void* user) {
  ath_tensor x = {.struct_size = sizeof(x)};
  (void)user;
  ath_status status = host->input(node, 0, &x);
  if (status != 0) return status;
  if (x.dtype != ATH_F32) return host->fail(node, ATH_TYPE_UNSUPPORTED, "x must be f32");
  if (x.rank == 0) return host->fail(node, ATH_INVALID_MODEL, "x needs an axis to roll along");
  return host->set_output(node, 0, x.dtype, x.rank, x.dims);
}

/* Now all sizes are numbers, and the elements are there. */
static ath_status Run(const ath_host* host, ath_node* node, void* user) {
  ath_tensor x = {.struct_size = sizeof(x)};
  int64_t shift = 1, rows = 1;
  (void)user;
  ath_status status = host->input(node, 0, &x);
  float* y = host->output(node, 0, NULL);
  if (status != 0 || y == NULL) return status;
  const float* from = x.data;
  const int64_t n = x.dims[x.rank - 1];
  for (int32_t axis = 0; axis + 1 < x.rank; ++axis) rows *= x.dims[axis];
  if (n == 0) return 0;
  host->get_int(node, "shift", &shift); /* stays 1 where the node does not say */
  const size_t turned = (size_t)(((shift % n) + n) % n), kept = (size_t)n - turned;
  for (int64_t row = 0; row < rows; ++row, from += n, y += n) {
    memcpy(y, from + kept, turned * sizeof(float));
    memcpy(y + turned, from, kept * sizeof(float));
  }
  return 0;
}

/* layer { type: "Roll" roll_param { shift: 2 } } */
static ath_status ReadCaffeRoll(const ath_host* host, ath_node* node, void* user) {
  int64_t shift = 1;
  ath_value y = ATH_NO_VALUE;
  (void)user;
  host->get_int(node, "shift", &shift);
  host->begin(node, "my::Roll");
  host->add_input(node, host->value(node, 0));
  host->put_int(node, "shift", shift);
  host->end(node, &y, 1);
  return host->give(node, 0, y);
}

static const ath_port x_port = {sizeof(x_port), "x", "f32, one axis or more", ATH_ONE};
static const ath_port y_port = {sizeof(y_port), "y", "as x", ATH_ONE};
static const ath_attr shift_attr = {sizeof(shift_attr), "shift", "places; 1 by default",
                                    ATH_ATTR_INT, 0};
static const ath_op roll = {.struct_size = sizeof(roll),
                            .name = "my::Roll",
                            .doc = "x with its rows turned around.",
                            .inputs = &x_port,
                            .num_inputs = 1,
                            .outputs = &y_port,
                            .num_outputs = 1,
                            .attributes = &shift_attr,
                            .num_attributes = 1,
                            .infer = Infer,
                            .run = Run};
static const ath_converter caffe_roll = {
    .struct_size = sizeof(caffe_roll), .format = "caffe", .op = "Roll", .convert = ReadCaffeRoll};
static const ath_plugin plugin = {.struct_size = sizeof(plugin),
                                  .abi = ATH_PLUGIN_ABI,
                                  .name = "roll",
                                  .ops = &roll,
                                  .num_ops = 1,
                                  .converters = &caffe_roll,
                                  .num_converters = 1};

const ath_plugin* ath_plugin_entry(uint32_t abi) { return abi == ATH_PLUGIN_ABI ? &plugin : NULL; }
