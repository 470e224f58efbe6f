/* From reset to main on a Cortex-M: sets up memory; prints and exits through semihosting (newlib's
 * rdimon). */
#include <stdint.h>

extern uint32_t data_begin, data_end, data_load, bss_begin, bss_end, stack_top;
extern int main(void);
extern void initialise_monitor_handles(void);
extern void exit(int);

void Reset_Handler(void) {
  for (uint32_t *to = &data_begin, *from = &data_load; to < &data_end;) *to++ = *from++;
  for (uint32_t* to = &bss_begin; to < &bss_end;) *to++ = 0;
  initialise_monitor_handles();
  exit(main());
}

/* newlib calls these. */
void _init(void) {}
void _fini(void) {}

static void Fault(void) {
  for (;;) {
  }
}

__attribute__((section(".vectors"), used)) static const void* const vectors[] = {
    &stack_top, (const void*)Reset_Handler, (const void*)Fault, (const void*)Fault};
