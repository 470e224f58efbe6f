#include "kernels/gemm/mat_mul.h"

#include <algorithm>

#include "kernels/divide.h"
#include "kernels/every_isa.h"
#include "kernels/gemm/few_rows.h"
#include "kernels/strides.h"
#include "kernels/tiny_as_zero.h"

namespace athanor::kernels {
namespace {

// One product per element of the batch; the offsets count elements from the begin of each tensor.
struct Product {
  std::int64_t a = 0, b = 0, c = 0;
};

struct State {
  GemmShape shape;
  std::vector<Product> products;
  Matrix a, b;  // strides only
  float factor = 1;
  std::shared_ptr<const void> packed_b;  // when b is a constant
  std::size_t bias = 0;                  // input with one value per column, 0: none
  EpilogueProgram epilogue;
  bool few_rows = false;            // of `a`, which are not packed
  bool by_batch = false;            // each thread takes whole products
  std::int64_t scratch_floats = 0;  // of one product

  const float* PackedB() const { return static_cast<const float*>(packed_b.get()); }
};

// Sizes of one product, before batching.
struct Sizes {
  std::int64_t m = 1, n = 1, k = 1;
};

Sizes MatMulSizes(const KernelQuery& q) {
  const Dims &a = q.in[0].dims, &b = q.in[1].dims;
  Sizes sizes;
  if (a.size() > 1) sizes.m = a[a.size() - 2];
  sizes.k = a.back();
  if (b.size() > 1) sizes.n = b.back();
  // One matrix b for all: the batch of a is more rows.
  if (b.size() <= 2 && a.size() > 2) sizes.m = q.in[0].count() / std::max<std::int64_t>(1, sizes.k);
  return sizes;
}

bool IsGemm(const KernelQuery& q) { return q.op->name == "Gemm"; }

Sizes GemmSizes(const KernelQuery& q) {
  const bool ta = q.Int("transA") != 0;
  return {q.out[0].dims[0], q.out[0].dims[1], q.in[0].dims[ta ? 0 : 1]};
}

Fit Fits(const KernelQuery& q) {
  if (q.in[0].dtype != DType::kF32 || q.in[1].dtype != DType::kF32) return Fit::No("f32 only");
  const bool vector_result = q.in[0].rank() == 1 || q.in[1].rank() == 1;
  if ((IsGemm(q) ? GemmSizes(q) : MatMulSizes(q)).k == 0) return Fit::No("nothing to sum");
  Fit epilogue = AcceptsEpilogue(q, false, !vector_result);
  if (!epilogue.yes() || !IsGemm(q) || !q.Has(2)) return epilogue;
  const bool per_column = q.in[2].count() == q.out[0].dims[1] && !q.in[2].dims.empty() &&
                          q.in[2].dims.back() == q.out[0].dims[1];
  if (!per_column) return Fit::No("c is not one value per column");
  if (q.Float("beta") != 1) return Fit::No("beta is not 1");
  return Fit::Yes();
}

double Cost(const KernelQuery& q) {
  const Sizes s = IsGemm(q) ? GemmSizes(q) : MatMulSizes(q);
  const double flops = 2.0 * static_cast<double>(q.out[0].count()) * static_cast<double>(s.k);
  const double bytes = static_cast<double>(q.in[0].bytes() + q.in[1].bytes() + q.out[0].bytes());
  return RooflineNs(q.isa, flops, bytes);
}

std::vector<Product> Products(const KernelQuery& q, const Sizes& s) {
  const Dims &a = q.in[0].dims, &b = q.in[1].dims;
  if (b.size() <= 2) return {Product{}};
  Dims batch_a(a.begin(), a.end() - std::min<std::ptrdiff_t>(2, std::ssize(a)));
  const Dims batch_b(b.begin(), b.end() - 2);
  Dims batch = q.out[0].dims;
  batch.pop_back();
  if (a.size() > 1) batch.pop_back();
  const Dims stride_a = BroadcastStrides(batch_a, batch),
             stride_b = BroadcastStrides(batch_b, batch);
  std::int64_t count = 1;
  for (const std::int64_t dim : batch) count *= dim;
  std::vector<Product> products;
  for (std::int64_t i = 0; i < count; ++i) {
    Product product = {.c = i * s.m * s.n};
    std::int64_t rest = i;
    for (std::size_t axis = batch.size(); axis-- > 0;) {
      const std::int64_t at = rest % batch[axis];
      rest /= batch[axis];
      product.a += at * stride_a[axis] * s.m * s.k;
      product.b += at * stride_b[axis] * s.k * s.n;
    }
    products.push_back(product);
  }
  return products;
}

Result<Prepared> Prepare(const KernelQuery& q, PackStore& store) {
  auto state = std::make_shared<State>();
  const Sizes s = IsGemm(q) ? GemmSizes(q) : MatMulSizes(q);
  state->shape = GemmShape(q.isa, s.m, s.n, s.k);
  state->a = {nullptr, s.k, 1};
  state->b = {nullptr, s.n, 1};
  state->epilogue = EpilogueProgram::From(q, /*column_bias=*/!IsGemm(q) || !q.Has(2));
  state->bias = state->epilogue.column_bias;
  if (IsGemm(q)) {
    if (q.Int("transA") != 0) state->a = {nullptr, 1, s.m};
    if (q.Int("transB") != 0) state->b = {nullptr, 1, s.k};
    state->factor = q.Float("alpha");
    if (q.Has(2)) state->bias = 2;
    state->products = {Product{}};
  } else {
    state->products = Products(q, s);
  }
  const GemmShape& shape = state->shape;
  state->few_rows = IsFewRows(shape) && state->a.col_stride == 1 && state->factor == 1;
  state->scratch_floats = state->few_rows ? 0 : WholeLines(shape.PackedAFloats());
  if (q.in[1].constant != nullptr && state->products.size() == 1) {
    Matrix b = state->b;
    b.data = q.in[1].constant->Data<float>().data();
    ATH_TRY(state->packed_b,
            store.Get(*q.in[1].constant,
                      fmt::format("panels {} {}x{} {}", shape.cols(), s.k, s.n, b.row_stride),
                      shape.PackedBFloats() * 4, [&](void* to) {
                        PackPanels(shape, b, 0, shape.panels, static_cast<float*>(to));
                      }));
  } else {
    state->scratch_floats += WholeLines(shape.PackedBFloats());
  }
  state->by_batch = static_cast<int>(state->products.size()) >= q.threads && q.threads > 1;
  return Prepared{state, state->scratch_floats * 4 * (state->by_batch ? q.threads : 1)};
}

// Calls body(begin, end) on parts of [0, count): all at once, or shared between threads.
template <class F>
void Share(const KernelArgs& args, bool parallel, std::int64_t count, const F& body) {
  if (!parallel) {
    body(0, count);
    return;
  }
  Parallel(args, count, 1, [&](std::int64_t begin, std::int64_t end, int) { body(begin, end); });
}

// The panels of b, packed into `to` where that was not done before.
const float* PanelsOf(const KernelArgs& args, const State& s, const Matrix& b, float* to,
                      bool parallel) {
  if (s.packed_b != nullptr) return s.PackedB();
  Share(args, parallel, s.shape.panels,
        [&](std::int64_t begin, std::int64_t end) { PackPanels(s.shape, b, begin, end, to); });
  return to;
}

void RunProduct(const KernelArgs& args, const State& s, const Product& product, float* scratch,
                bool parallel) {
  const GemmShape& shape = s.shape;
  Matrix a = s.a, b = s.b;
  a.data = args.In(0) + product.a;
  b.data = args.In(1) + product.b;
  const GemmEnd end = {.epilogue = &s.epilogue,
                       .args = &args,
                       .col_bias = s.bias != 0 ? args.In(s.bias) : nullptr,
                       .offset = product.c};
  float* const c = args.Out(0) + product.c;
  if (s.few_rows) {
    const float* const packed_b = PanelsOf(args, s, b, scratch, parallel);
    Share(args, parallel, FewRowsGroups(shape), [&](std::int64_t from, std::int64_t to) {
      MultiplyFewRows(shape, a.data, a.row_stride, packed_b, from, to, c, shape.n, end);
    });
    return;
  }
  float* const packed_a = scratch;
  Share(args, parallel, shape.tiles, [&](std::int64_t begin, std::int64_t end_tile) {
    PackTiles(shape, a, s.factor, begin, end_tile, packed_a);
  });
  const float* const packed_b =
      PanelsOf(args, s, b, scratch + WholeLines(shape.PackedAFloats()), parallel);
  // Whichever side has more pieces is cut; the other is walked whole by every thread.
  if (shape.tiles > shape.panels) {
    Share(args, parallel, shape.tiles, [&](std::int64_t from, std::int64_t to) {
      Multiply(shape, packed_a, packed_b, from, to, 0, shape.panels, c, shape.n, end);
    });
  } else {
    Share(args, parallel, shape.panels, [&](std::int64_t from, std::int64_t to) {
      Multiply(shape, packed_a, packed_b, 0, shape.tiles, from, to, c, shape.n, end);
    });
  }
}

void Run(const KernelArgs& args) {
  const TinyAsZero tiny;
  const State& s = args.State<State>();
  if (s.shape.m == 0 || s.shape.n == 0) return;
  auto* const scratch = reinterpret_cast<float*>(args.scratch);
  if (!s.by_batch) {
    for (const Product& product : s.products) RunProduct(args, s, product, scratch, true);
    return;
  }
  Parallel(args, std::ssize(s.products), 1, [&](std::int64_t begin, std::int64_t end, int thread) {
    for (std::int64_t i = begin; i < end; ++i) {
      RunProduct(args, s, s.products[static_cast<std::size_t>(i)],
                 scratch + thread * s.scratch_floats, false);
    }
  });
}

}  // namespace

std::vector<KernelDef> MatMulKernels() {
  std::vector<KernelDef> defs;
  for (const std::string_view op : {"Gemm", "MatMul"}) {
    AddForEveryIsa(defs, {.name = fmt::format("{}.f32.packed", op),
                          .op = std::string(op),
                          .takes_epilogue = true,
                          .fits = Fits,
                          .cost_ns = Cost,
                          .prepare = Prepare,
                          .run = Run});
  }
  return defs;
}

}  // namespace athanor::kernels
