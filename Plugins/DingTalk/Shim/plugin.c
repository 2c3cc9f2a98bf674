#include "datong_plugin.h"

/* Written in Swift: Plugins/DingTalk/Sources/Entry.swift. */
extern int32_t dingtalk_init(const datong_host *host);
extern void dingtalk_shutdown(void);
extern const void *dingtalk_ability(const char *id);
extern int32_t dingtalk_open(const datong_call *call, const datong_open_request *request, void **connection);
extern void dingtalk_close(void *connection);

DATONG_DEFINE_PLUGIN("dingtalk", "0.1.0", "", dingtalk_init, dingtalk_shutdown, dingtalk_ability, dingtalk_open,
                     dingtalk_close);
