/* Makes calls of a C interface that were prepared in Python, one after the other: what is timed is
 * the callee and not ctypes, which takes as long as a small forest. Every engine is called in this
 * way. Arguments are integers and pointers, which all lie in registers; results are ignored,
 * because each call writes its number to memory that is looked at once before and never during a
 * measurement. */
#include <stdint.h>

typedef struct call {
  void (*function)(intptr_t, intptr_t, intptr_t, intptr_t, intptr_t, intptr_t);
  intptr_t arguments[6];
} call;

void make_calls(const call* calls, int64_t count) {
  for (const call* end = calls + count; calls != end; ++calls) {
    const intptr_t* a = calls->arguments;
    calls->function(a[0], a[1], a[2], a[3], a[4], a[5]);
  }
}
