/* A connector that says what the files of one folder tell it to: `describe`, `probe`, `page`, `doc-ID`, `write`,
 * `find` (a number a line), `replace`. A file that begins with `!CLASS RETRY_AFTER ` is a failure with these words. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datong_plugin.h"

static const datong_host *host;
static const datong_crypto_service *crypto;
static const datong_log_service *logger;
static const datong_secret_service *secret;

static datong_bytes text(const char *words) { return (datong_bytes){(const uint8_t *)words, strlen(words)}; }

/* A file of the folder as text; empty when it is not there. */
static const char *scene(const char *name, char *into, size_t room) {
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", FOLDER, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t count = file < 0 ? 0 : read(file, into, room - 1);
    if (file >= 0) close(file);
    into[count > 0 ? count : 0] = 0;
    return into;
}

/* The failure a scene stands for; class 0 when it stands for none. */
static datong_failure failure(const char *scene, datong_message *message) {
    char *rest = NULL;
    uint32_t cls = scene[0] == '!' ? (uint32_t)strtoul(scene + 1, &rest, 10) : 0;
    int64_t after = cls ? strtoll(rest, &rest, 10) : -1;
    while (rest && *rest == ' ') rest++;
    /* Words that begin with a code of the host carry it on, as a connector does with what a service said. */
    const char *own = rest && strncmp(rest, "E-NET-", 6) == 0 ? "E-NET-032" : "V-1";
    *message = (datong_message){text(cls ? rest : ""), text("en"), text(own)};
    return (datong_failure){.size = sizeof(datong_failure), .error_class = cls, .message_count = 1,
                            .messages = message, .vendor_code = text("77"), .retry_after_ms = after};
}

static int32_t failed(const datong_call *call, const char *scene) {
    datong_message message;
    datong_failure what = failure(scene, &message);
    if (!what.error_class) return 0;
    call->host->fail(call, &what);
    return DATONG_FAILED;
}

static int32_t init(const datong_host *given) {
    host = given;
    crypto = host->get_service(DATONG_SERVICE_CRYPTO);
    logger = host->get_service(DATONG_SERVICE_LOG);
    secret = host->get_service(DATONG_SERVICE_SECRET);
    return DATONG_OK;
}
static void shut(void) {}

static int32_t open_connection(const datong_call *call, const datong_open_request *request, void **connection) {
    (void)call;
    (void)request;
    static int nothing;
    *connection = &nothing;
    return DATONG_OK;
}
static void close_connection(void *connection) { (void)connection; }

static int32_t describe(const datong_call *call, const datong_text_sink *sink) {
    (void)call;
    static char room[65536];
    sink->put(sink->context, text(scene("describe", room, sizeof room)));
    return DATONG_OK;
}

static int32_t probe(void *connection, const datong_call *call, const datong_text_sink *sink) {
    (void)connection;
    char room[4096];
    if (failed(call, scene("probe", room, sizeof room))) return DATONG_FAILED;
    sink->put(sink->context, text(room));
    return DATONG_OK;
}

static int32_t read_page(void *connection, const datong_call *call, const datong_read_request *request,
                         const datong_read_sink *sink) {
    (void)connection;
    char room[65536], name[300];
    if (request->ids) {
        for (uint64_t i = 0; i < request->id_count; i++) {
            snprintf(name, sizeof name, "doc-%.*s", (int)request->ids[i].size, (const char *)request->ids[i].data);
            if (failed(call, scene(name, room, sizeof room))) return DATONG_FAILED;
            if (!room[0]) continue;
            datong_record record = {.size = sizeof record, .id = request->ids[i], .json = text(room)};
            sink->record(sink->context, &record);
        }
        return DATONG_OK;
    }
    if (failed(call, scene("page", room, sizeof room))) return DATONG_FAILED;
    char *rest = NULL;
    for (char *id = strtok_r(room, "\n", &rest); id; id = strtok_r(NULL, "\n", &rest)) {
        datong_record record = {.size = sizeof record, .id = text(id), .flags = DATONG_RECORD_HINT};
        /* `ID=JSON` is a document in the page itself. */
        char *json = strchr(id, '=');
        if (json) {
            *json = 0;
            record.id = text(id);
            record.json = text(json + 1);
            record.flags = 0;
        }
        sink->record(sink->context, &record);
    }
    sink->page(sink->context, text("c"), 0);
    return DATONG_OK;
}

static int32_t write_records(void *connection, const datong_call *call, const datong_write_request *request,
                             const datong_write_sink *sink) {
    (void)connection;
    char room[4096], fresh[256];
    /* Hangs; gives no result. */
    if (strcmp(scene("write", room, sizeof room), "!hang") == 0)
        for (;;) pause();
    if (strcmp(room, "!short") == 0) return DATONG_OK;
    if (scene("replace", fresh, sizeof fresh)[0] && secret->replace(call, text("token"), text(fresh)) != DATONG_OK)
        return failed(call, "!14 -1 the secret was not replaced");
    scene("write", room, sizeof room);
    datong_segment parts[] = {{text("b"), {0}}};
    datong_crypto_request sign = {.size = sizeof sign, .operation = DATONG_CRYPTO_HMAC, .algorithm = text("sha256"),
                                  .key = {{0}, text("token")}, .input = parts, .input_count = 1};
    datong_reply reply = {.size = sizeof reply};
    if (crypto->run(call, &sign, &reply) != DATONG_OK) return failed(call, "!14 -1 the secret was not lent");
    logger->write(call, DATONG_LOG_ERROR, text(room));
    datong_message message;
    datong_failure what = failure(room, &message);
    for (uint64_t i = 0; i < request->record_count; i++) {
        datong_write_result result = {.size = sizeof result, .index = i, .number = text(room),
                                      .outcome = what.error_class ? DATONG_REFUSED : DATONG_APPLIED};
        if (what.error_class) {
            result.number = (datong_bytes){0};
            result.failure = &what;
        }
        sink->result(sink->context, &result);
    }
    return DATONG_OK;
}

static int32_t find(void *connection, const datong_call *call, const datong_find_request *request,
                    const datong_find_sink *sink) {
    (void)connection;
    (void)request;
    char room[4096], *rest = NULL;
    if (failed(call, scene("find", room, sizeof room))) return DATONG_FAILED;
    for (char *number = strtok_r(room, "\n", &rest); number; number = strtok_r(NULL, "\n", &rest))
        sink->found(sink->context, text(number), text(number), (datong_bytes){0});
    return DATONG_OK;
}

static const void *ability(const char *id) {
    static const datong_describe_ability d = {sizeof d, 0, describe};
    static const datong_probe_ability p = {sizeof p, 0, probe};
    static const datong_read_ability r = {sizeof r, 0, read_page};
    static const datong_write_ability w = {sizeof w, 0, write_records};
    static const datong_find_ability f = {sizeof f, 0, find};
    static const struct {
        const char *id;
        const void *ability;
    } all[] = {{DATONG_ABILITY_DESCRIBE, &d}, {DATONG_ABILITY_PROBE, &p}, {DATONG_ABILITY_READ, &r},
               {DATONG_ABILITY_WRITE, &w},    {DATONG_ABILITY_FIND, &f}};
    for (size_t n = 0; n < sizeof all / sizeof *all; n++)
        if (strcmp(all[n].id, id) == 0) return all[n].ability;
    return NULL;
}

DATONG_DEFINE_PLUGIN(NAME, VERSION, "fixture", init, shut, ability, open_connection, close_connection);
