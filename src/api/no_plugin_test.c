/* A shared library that is no plug-in; with OLD_PLUGIN, one that serves another version. Loaded by
 * plugin_test.cpp. */
#include "athanor/plugin.h"

ATH_EXPORT int32_t no_plugin(void);
int32_t no_plugin(void) { return 0; }

#ifdef OLD_PLUGIN
const ath_plugin* ath_plugin_entry(uint32_t abi) { return abi == 0 ? (const ath_plugin*)"" : NULL; }
#endif
