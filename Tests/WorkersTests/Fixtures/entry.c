/* The smallest plugin; macros bend its entry for the handshake tests. */
#include "datong_plugin.h"

#ifndef SYMBOL
#define SYMBOL datong_plugin_v0
#endif
#ifndef MAGIC
#define MAGIC DATONG_MAGIC
#endif
#ifndef NEEDS
#define NEEDS 1u
#endif
#ifndef BUILT
#define BUILT DATONG_MINOR
#endif
#ifndef ID
#define ID "small"
#endif
#ifndef SIZE
#define SIZE sizeof(datong_plugin)
#endif
#ifndef INIT_RESULT
#define INIT_RESULT DATONG_OK
#endif

static int32_t init(const datong_host *host) { return host ? INIT_RESULT : DATONG_BUG; }
static void shut(void) {}
static const void *ability(const char *id) {
    (void)id;
    return 0;
}
static int32_t open_connection(const datong_call *call, const datong_open_request *request, void **connection) {
    static int something;
    (void)call;
    (void)request;
    *connection = &something;
    return DATONG_OK;
}
static void close_connection(void *connection) { (void)connection; }

#ifdef DEPENDS
extern int helper(void);
int use_helper(void) { return helper(); }
#endif

#ifdef CONSTRUCTOR_LOOPS
__attribute__((constructor)) static void loop(void) {
    for (;;) __asm__ volatile("");
}
#endif
#ifdef CONSTRUCTOR_CRASHES
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void crash(void) {
    fprintf(stderr, "constructor says goodbye\n");
    abort();
}
#endif

DATONG_EXPORT extern const datong_plugin SYMBOL;
const datong_plugin SYMBOL = {(uint32_t)SIZE, 0, MAGIC, DATONG_EPOCH, NEEDS, BUILT, ID, "1.2.3", "fixture",
                              init, shut, ability, open_connection, close_connection};
