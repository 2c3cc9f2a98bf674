import Foundation

/// The example made bad in one way, and the checks that must fail for it, all of them and no other.
struct BadConnector: Sendable, CustomStringConvertible {
    var what: String
    /// Texts of the example and what stands in their place.
    var changes: [(String, String)]
    var fails: [String]
    var flags = ""
    var vendor = false

    var description: String { what }
}

enum BadConnectors {
    static let compiler =
        "cc -std=c11 -D_GNU_SOURCE -O1 -fPIC -shared -fvisibility=hidden -Wl,-z,now -Wl,-z,noexecstack -ISources/PluginABI/include"

    private static func every(_ fault: String) -> [String] {
        ["probe", "read", "find", "write"].map { "\($0).\(fault)" }
    }
    private static let send = "int32_t result = http->send(call, &request, reply);"

    static let all: [BadConnector] = [
        BadConnector(
            what: "a second symbol",
            changes: [("static void shut(void) {}", "DATONG_EXPORT int more = 1;\nstatic void shut(void) {}")],
            fails: ["library.symbol"]),
        BadConnector(what: "bound late", changes: [], fails: ["library.links"], flags: "-Wl,-z,lazy"),
        BadConnector(
            what: "can sleep",
            changes: [("static void shut(void) {}", "#include <unistd.h>\nstatic void shut(void) { usleep(1); }")],
            fails: ["library.calls"]),
        BadConnector(
            what: "another version in its description",
            changes: [("\\\"version\\\":\\\"0.1.0\\\"", "\\\"version\\\":\\\"0.2.0\\\"")], fails: ["describe.identity"]),
        BadConnector(
            what: "a description without its title",
            changes: [("\\\"title\\\":{\\\"zh\\\":\\\"便笺\\\",\\\"en\\\":\\\"Memos\\\"},", "")],
            fails: ["describe.shape"]),
        BadConnector(
            what: "another description the second time",
            changes: [
                (
                    "    (void)call;\n    sink->put(",
                    "    (void)call;\n    static int times;\n    if (times++) return sink->put(sink->context, TEXT(\"{}\")), DATONG_OK;\n    sink->put("
                )
            ], fails: ["describe.same"]),
        BadConnector(
            what: "declares find and has none",
            changes: [("strcmp(id, DATONG_ABILITY_FIND) == 0 ? &f : NULL", "strcmp(id, \"no\") == 0 ? &f : NULL")],
            fails: ["describe.abilities"]),
        BadConnector(
            what: "writes what it cannot find",
            changes: [
                ("strcmp(id, DATONG_ABILITY_FIND) == 0 ? &f : NULL", "strcmp(id, \"no\") == 0 ? &f : NULL"),
                ("[\\\"write\\\",\\\"find\\\"]", "[\\\"write\\\"]"),
            ], fails: ["describe.find"]),
        BadConnector(
            what: "offers what it never heard of",
            changes: [
                (
                    "    if (strcmp(id, DATONG_ABILITY_DESCRIBE) == 0) return &d;",
                    "    if (strcmp(id, DATONG_ABILITY_DESCRIBE) == 0 || strcmp(id, \"datong.nothing/1\") == 0) return &d;"
                )
            ], fails: ["entry.unknown-ability"]),
        BadConnector(
            what: "wants a call of its own size",
            changes: [
                (
                    "    (void)call;\n    sink->put(",
                    "    if (call->size != sizeof *call) return DATONG_BUG;\n    sink->put("
                )
            ],
            fails: ["entry.later-host"]),
        BadConnector(
            what: "wants an open request of its own size",
            changes: [
                (
                    "    struct connection *c = calloc(1, sizeof *c);",
                    "    if (request->size != sizeof *request) return DATONG_BUG;\n    struct connection *c = calloc(1, sizeof *c);"
                )
            ], fails: ["open.later-host"]),
        BadConnector(
            what: "takes every service for granted",
            changes: [
                ("    return http ? DATONG_OK : DATONG_UNSUPPORTED;", "    return http->size ? DATONG_OK : DATONG_BUG;")
            ],
            fails: ["entry.bare-host"]),
        BadConnector(
            what: "keeps every connection",
            changes: [
                (
                    "static void close_it(void *connection) { free(connection); }",
                    "static void close_it(void *connection) { (void)connection; }"
                )
            ],
            fails: ["open.cycles"]),
        BadConnector(
            what: "dies of settings that are a list",
            changes: [
                (
                    "    struct connection *c = calloc(1, sizeof *c);",
                    "    if (request->settings.size && request->settings.data[0] == '[') abort();\n    struct connection *c = calloc(1, sizeof *c);"
                )
            ], fails: ["open.odd-settings"]),
        BadConnector(
            what: "takes rubbish for an empty list",
            changes: [
                (
                    "    if (t.class) return fail(call, t);\n    datong_bytes memos = member(reply.body, \"memos\"), memo;",
                    "    if (t.class == DATONG_SCHEMA_DRIFT) return DATONG_OK;\n    if (t.class) return fail(call, t);\n    datong_bytes memos = member(reply.body, \"memos\"), memo;"
                )
            ], fails: ["find.html-page", "find.cut-json", "find.empty-body"]),
        BadConnector(
            what: "takes silence for success",
            changes: [
                (
                    "    if (t->class) return;\n",
                    "    if (t->class == DATONG_UNKNOWN_OUTCOME) {\n        *t = (struct trouble){0};\n        result->outcome = DATONG_APPLIED;\n        result->number = TEXT(\"1\");\n        return;\n    }\n    if (t->class) return;\n"
                )
            ],
            fails: ["write.lost-answer", "write.status-500", "write.html-page", "write.cut-json", "write.empty-body"]),
        BadConnector(
            what: "blames the document for the vendor's trouble",
            changes: [
                (
                    "writes ? DATONG_UNKNOWN_OUTCOME : DATONG_TRANSIENT, \"对方出错\"",
                    "writes ? DATONG_INVALID_RECORD : DATONG_TRANSIENT, \"对方出错\""
                )
            ],
            fails: ["write.status-500"]),
        BadConnector(
            what: "tries again by itself",
            changes: [
                (send, send + "\n    if (result == DATONG_UNREACHABLE) result = http->send(call, &request, reply);")
            ],
            fails: every("not-sent")),
        BadConnector(
            what: "waits for milliseconds where the vendor said seconds",
            changes: [("return seconds * 1000;", "return seconds;")],
            fails: every("status-429")),
        BadConnector(
            what: "looks at a secret and sends it",
            changes: [
                (
                    "    datong_insertion token",
                    "    const datong_secret_service *vault = call->host->get_service(DATONG_SERVICE_SECRET);\n    datong_reply bare = {.size = sizeof bare};\n    vault->reveal(call, TEXT(\"token\"), &bare);\n    headers[1].value = bare.bytes;\n    datong_insertion token"
                )
            ], fails: ["secrets.reveal", "secrets.canary"]),
        BadConnector(
            what: "uses a secret it does not declare",
            changes: [("0, 7, TEXT(\"token\")}", "0, 7, TEXT(\"other | hex\")}")],
            fails: ["secrets.declared"]),
        BadConnector(
            what: "leaks with every call", changes: [(send, "memset(malloc(16384), 1, 16384);\n    " + send)],
            fails: ["memory.calls"], flags: "-fno-builtin-malloc"),
        BadConnector(
            what: "sleeps by a system call",
            changes: [
                (
                    "#include <stdio.h>",
                    "#include <stdio.h>\n#include <sys/syscall.h>\n#include <time.h>\n#include <unistd.h>"
                ),
                (send, "struct timespec nap = {0, 1};\n    syscall(SYS_nanosleep, &nap, NULL);\n    " + send),
            ], fails: ["manners.watched"]),
        BadConnector(
            what: "starts threads",
            changes: [
                (
                    "#include <stdio.h>",
                    "#include <pthread.h>\n#include <stdio.h>\n#include <unistd.h>\nstatic void *stay(void *x) { for (;;) pause(); return x; }"
                ),
                (
                    send,
                    "pthread_attr_t small;\n    pthread_t thread;\n    pthread_attr_init(&small);\n    pthread_attr_setstacksize(&small, 65536);\n    if (call->trace_id.size) pthread_create(&thread, &small, stay, NULL);\n    "
                        + send
                ),
            ], fails: ["library.calls", "manners.watched", "manners.threads", "memory.calls"]),
        BadConnector(
            what: "one call at a time behind a lock",
            changes: [
                (
                    "#include <stdio.h>",
                    "#include <pthread.h>\n#include <stdio.h>\nstatic pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;"
                ),
                (send, "pthread_mutex_lock(&one);\n    " + send + "\n    pthread_mutex_unlock(&one);"),
            ], fails: ["concurrency.declared"]),
        BadConnector(
            what: "writes documents it does not know",
            changes: [
                (
                    "                             const datong_write_sink *sink) {\n    if (!same(request->document, DOCUMENT))",
                    "                             const datong_write_sink *sink) {\n    if (request->record_count == 0)"
                )
            ], fails: ["write.unknown-document"]),
        BadConnector(
            what: "sends what is no document",
            changes: [("!is_safe(record->key) || !is_object(record->json)", "!is_safe(record->key)")],
            fails: ["write.odd-document"]),
        BadConnector(
            what: "looks for something else",
            changes: [
                ("\"/memos?key=%.*s\", (int)request->key.size, (const char *)request->key.data", "\"/memos?key=1\"")
            ],
            fails: ["find.key"]),
        BadConnector(
            what: "dies of a cursor it did not give",
            changes: [
                (
                    "    if (!is_safe(cursor)) return fail(",
                    "    if (!is_safe(cursor)) abort();\n    if (!is_safe(cursor)) return fail("
                )
            ],
            fails: ["read.odd-cursor"]),
        BadConnector(
            what: "forgets the key",
            changes: [
                (
                    "(int)record->key.size, (const char *)record->key.data);\n    memcpy",
                    "(int)record->key.size - 8, (const char *)record->key.data);\n    memcpy"
                )
            ],
            fails: ["vendor.write", "vendor.again", "vendor.lost-answer"], vendor: true),
        BadConnector(
            what: "a write that says it reads",
            changes: [("call, DATONG_EFFECT_WRITE, \"POST\"", "call, DATONG_EFFECT_READ, \"POST\"")],
            fails: ["vendor.write", "vendor.lost-answer"], vendor: true),
        BadConnector(
            what: "ends a sweep before its time",
            changes: [
                (
                    "sink->page(sink->context, cursor, same(last, \"false\"));",
                    "sink->page(sink->context, request->cursor, same(last, \"false\"));"
                )
            ],
            fails: ["vendor.read"], vendor: true),
    ]
}
