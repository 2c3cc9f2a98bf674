/* A plugin that means harm. A write's document type names the deed; "sent+DEED" first sends a write to the vendor. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "datong_plugin.h"

#define HUGE_LENGTH (1ull << 63)

static const datong_host *host;
static const datong_http_service *http;
static const datong_crypto_service *crypto;
static const datong_session_service *session;
static const datong_state_service *state;
static const datong_log_service *logger;

static datong_bytes text(const char *words) { return (datong_bytes){(const uint8_t *)words, strlen(words)}; }
static int is(datong_bytes bytes, const char *words) {
    return bytes.size == strlen(words) && memcmp(bytes.data, words, bytes.size) == 0;
}
static int begins(datong_bytes bytes, const char *words) {
    return bytes.size >= strlen(words) && memcmp(bytes.data, words, strlen(words)) == 0;
}

#define FOR_EVER \
    for (;;) __asm__ volatile("")

static int32_t init(const datong_host *given) {
    host = given;
    http = host->get_service(DATONG_SERVICE_HTTP);
    crypto = host->get_service(DATONG_SERVICE_CRYPTO);
    session = host->get_service(DATONG_SERVICE_SESSION);
    state = host->get_service(DATONG_SERVICE_STATE);
    logger = host->get_service(DATONG_SERVICE_LOG);
    if (host->get_service(NULL)) return DATONG_BUG;
#ifdef INIT_LOOPS
    FOR_EVER;
#endif
#ifdef INIT_EXITS
    exit(9);
#endif
    return DATONG_OK;
}
static void shut(void) {
#ifdef SHUTDOWN_LOOPS
    FOR_EVER;
#endif
}
static int32_t open_connection(const datong_call *call, const datong_open_request *request, void **connection) {
    (void)call;
    (void)request;
#ifdef OPEN_GIVES_NOTHING
    *connection = NULL;
#else
    static int something;
    *connection = &something;
#endif
#ifdef OPEN_CRASHES
    abort();
#endif
    return DATONG_OK;
}
static void close_connection(void *connection) {
    (void)connection;
#ifdef CLOSE_CRASHES
    abort();
#endif
}

static int32_t send_one(const datong_call *call, uint32_t effect) {
    datong_http_request request = {.size = sizeof request, .effect = effect, .method = text("POST"),
                                   .url = text("https://erp.example.com/api")};
    datong_http_reply reply = {.size = sizeof reply};
    return http->send(call, &request, &reply);
}

static int32_t give(const datong_write_sink *sink, uint64_t index, datong_bytes number) {
    datong_write_result result = {.size = sizeof result, .index = index, .outcome = DATONG_APPLIED, .number = number};
    return sink->result(sink->context, &result);
}

/* ---- jumps ---------------------------------------------------------------------------------------- */

static jmp_buf mark;
__attribute__((noinline)) static int set_mark(void) { return setjmp(mark); }
/* One frame deeper than what overwrites it: the return address of the mark's own frame is gone by then. */
__attribute__((noinline)) static int set_deeper(void) {
    volatile int again = set_mark();
    return again;
}
__attribute__((noinline)) static void clobber(void) {
    volatile char waste[4096];
    memset((char *)waste, 0x41, sizeof waste);
}

static sigjmp_buf out;
static pthread_t jumper;
static void jump(int number) {
    (void)number;
    siglongjmp(out, 1);
}
static void *shove(void *nothing) {
    (void)nothing;
    usleep(50000);
    pthread_kill(jumper, SIGUSR1);
    return NULL;
}
/* Out of a host function that waits for the vendor, over the host's own frames. */
static void leave_the_host(const datong_call *call) {
    pthread_t thread;
    struct sigaction action = {.sa_handler = jump};
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    sigaction(SIGUSR1, &action, NULL);
    jumper = pthread_self();
    if (sigsetjmp(out, 1) == 0) {
        pthread_create(&thread, NULL, shove, NULL);
        send_one(call, DATONG_EFFECT_WRITE);
    }
}

/* ---- deeds ------------------------------------------------------------------------------------------ */

static void never_ends(void) { FOR_EVER; }

/* A whole frame of the conversation, as only the worker may send one: a RESULT under this number. */
static void forge(uint64_t id) {
    uint8_t frame[16 + 13] = {13, 0, 0, 0, 6};
    memcpy(frame + 8, &id, 8);
    if (write(3, frame, sizeof frame) != (ssize_t)sizeof frame) abort();
}

static void end_the_process(datong_bytes deed, const datong_call *call) {
    if (is(deed, "exit")) exit(7);
    if (is(deed, "_exit")) _exit(8);
    if (is(deed, "exit-loop")) {
        atexit(never_ends);
        exit(7);
    }
    if (is(deed, "thread-exit")) pthread_exit(NULL);
    if (is(deed, "loop")) FOR_EVER;
    if (is(deed, "wild-call")) ((void (*)(void))(uintptr_t)8)();
    if (is(deed, "longjmp")) {
        if (set_deeper() == 0) {
            clobber();
            longjmp(mark, 1);
        }
        FOR_EVER;
    }
    if (is(deed, "heap")) {
        char *small = malloc(16), *next = malloc(16);
        memset(small, 0x41, 1 << 16);
        free(next);
        free(small);
        FOR_EVER;
    }
    if (is(deed, "stack")) {
        volatile char small[16];
        for (size_t i = 0; i < (size_t)8 << 20; i++) ((volatile char *)small)[i] = 0x41;
    }
    if (is(deed, "scribble")) {
        memset((void *)(uintptr_t)call, 0xff, sizeof *call);
        call->host->is_cancelled(call);
    }
    if (is(deed, "forge")) {
        forge(call->call_id + 1000);
        FOR_EVER;
    }
    if (is(deed, "hoard"))
        for (;;) {
            char *more = malloc(64 << 20);
            if (!more) abort();
            memset(more, 1, 64 << 20);
        }
    if (is(deed, "recurse")) end_the_process(deed, call);
}

static int32_t fail_oddly(const datong_call *call, datong_bytes deed) {
    datong_message message = {text("no"), text("en"), {0}};
    datong_failure failure = {.size = sizeof failure, .error_class = DATONG_TRANSIENT, .message_count = 1,
                              .messages = &message, .retry_after_ms = -1};
    if (is(deed, "fail-size-0")) failure.size = 0;
    if (is(deed, "fail-size-huge")) failure.size = UINT32_MAX;
    if (is(deed, "fail-no-messages")) failure.messages = NULL;
    if (is(deed, "fail-no-count")) failure.message_count = 0;
    if (is(deed, "fail-flags")) failure.flags = 0x80000000u;
    if (is(deed, "fail-length")) message.text.size = HUGE_LENGTH;
    if (is(deed, "fail-field")) failure.field = (datong_bytes){NULL, HUGE_LENGTH};
    if (is(deed, "fail-text")) message.text = text("a\xff\xfe");
    call->host->fail(call, is(deed, "fail-null") ? NULL : &failure);
    return DATONG_FAILED;
}

/* A request to a service that is wrong in one way; what it answered goes into `fail`. */
static int32_t ask_oddly(const datong_call *call, datong_bytes deed) {
    static const datong_header header;
    static const datong_insertion insertion;
    static const datong_segment segment;
    datong_http_request request = {.size = sizeof request, .effect = DATONG_EFFECT_READ, .method = text("POST"),
                                   .url = text("https://erp.example.com/api")};
    datong_http_reply reply = {.size = sizeof reply};
    datong_crypto_request sum = {.size = sizeof sum, .operation = DATONG_CRYPTO_DIGEST, .algorithm = text("md5")};
    datong_reply bytes = {.size = sizeof bytes};
    int32_t got = DATONG_OK;
    if (is(deed, "ask-size-0")) request.size = 0;
    if (is(deed, "ask-size-huge")) request.size = UINT32_MAX;
    if (is(deed, "ask-reply-size")) reply.size = 3;
    if (is(deed, "ask-url")) request.url.size = HUGE_LENGTH;
    if (is(deed, "ask-body")) request.body = (datong_bytes){NULL, HUGE_LENGTH};
    if (is(deed, "ask-headers")) request.headers = &header, request.header_count = HUGE_LENGTH;
    if (is(deed, "ask-null-headers")) request.header_count = 1;
    if (is(deed, "ask-insertions")) request.insertions = &insertion, request.insertion_count = HUGE_LENGTH;
    if (is(deed, "ask-segments")) {
        sum.input = &segment;
        sum.input_count = HUGE_LENGTH;
        got = crypto->run(call, &sum, &bytes);
    } else if (is(deed, "ask-state")) {
        got = state->get(call, (datong_bytes){(const uint8_t *)"k", HUGE_LENGTH}, &bytes);
    } else if (is(deed, "ask-null-reply")) {
        got = state->get(call, text("k"), NULL);
    } else if (is(deed, "ask-log")) {
        logger->write(call, 7, (datong_bytes){NULL, HUGE_LENGTH});
    } else if (is(deed, "ask-session")) {
        got = session->acquire(call, NULL, NULL);
    } else {
        got = http->send(call, &request, &reply);
    }
    datong_message message = {text("as the service says"), text("en"), {0}};
    datong_failure failure = {.size = sizeof failure, .error_class = got ? (uint32_t)got : DATONG_TRANSIENT,
                              .message_count = 1, .messages = &message, .retry_after_ms = -1};
    call->host->fail(call, &failure);
    return DATONG_FAILED;
}

static int32_t write_records(void *connection, const datong_call *call, const datong_write_request *request,
                             const datong_write_sink *sink) {
    (void)connection;
    datong_bytes deed = request->document;
    if (begins(deed, "sent+")) {
        send_one(call, DATONG_EFFECT_WRITE);
        deed = (datong_bytes){deed.data + 5, deed.size - 5};
    }
    end_the_process(deed, call);
    if (begins(deed, "fail-")) return fail_oddly(call, deed);
    if (begins(deed, "ask-")) return ask_oddly(call, deed);
    if (is(deed, "jump-out")) leave_the_host(call);
    if (is(deed, "null-result")) sink->result(sink->context, NULL);
    if (is(deed, "null-context")) return give(&(datong_write_sink){.result = sink->result}, 0, text("a")), DATONG_OK;
    if (is(deed, "endless-number")) give(sink, 0, (datong_bytes){deed.data, HUGE_LENGTH});
    if (is(deed, "bad-number")) give(sink, 0, text("a\xff"));
    if (is(deed, "far-index")) give(sink, HUGE_LENGTH, text("a"));
    if (is(deed, "keep-replies"))
        for (int i = 0; i < 20; i++) send_one(call, DATONG_EFFECT_READ);
    if (is(deed, "wait")) send_one(call, DATONG_EFFECT_WRITE);
    for (uint64_t i = 0; i < request->record_count; i++)
        if (!is(deed, "null-result") && !is(deed, "endless-number") && !is(deed, "bad-number")) give(sink, i, text("done"));
    return DATONG_OK;
}

static const void *ability(const char *id) {
    static const datong_write_ability w = {sizeof w, 0, write_records};
#ifdef ABILITY_WITHOUT_FUNCTION
    static const datong_poll_ability o = {sizeof o, 0, NULL};
#else
    static const datong_poll_ability o = {sizeof o, 0, write_records};
#endif
    if (strcmp(id, DATONG_ABILITY_POLL) == 0) return &o;
    return strcmp(id, DATONG_ABILITY_WRITE) == 0 ? &w : NULL;
}

DATONG_DEFINE_PLUGIN("hostile", "0.1.0", "fixture", init, shut, ability, open_connection, close_connection);
