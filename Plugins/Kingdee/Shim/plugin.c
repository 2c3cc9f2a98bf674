#include "datong_plugin.h"

/* Written in Swift: Plugins/Kingdee/Sources/Entry.swift. */
extern int32_t kingdee_init(const datong_host *host);
extern void kingdee_shutdown(void);
extern const void *kingdee_ability(const char *id);
extern int32_t kingdee_open(const datong_call *call, const datong_open_request *request, void **connection);
extern void kingdee_close(void *connection);

DATONG_DEFINE_PLUGIN("kingdee", "0.1.0", "", kingdee_init, kingdee_shutdown, kingdee_ability, kingdee_open,
                     kingdee_close);
