/* Inside of the worker: buffers, the conversation and a call in progress. */
#ifndef WORKER_H
#define WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "datong_plugin.h"
#include "datong_worker.h"

/* ---- wire.c: growing output, bounded input ------------------------------------------------------ */

struct buffer {
    uint8_t *data;
    size_t size;
    size_t room;
};
void put_raw(struct buffer *b, const void *data, size_t size);
void put_u8(struct buffer *b, uint8_t value);
void put_u16(struct buffer *b, uint16_t value);
void put_u32(struct buffer *b, uint32_t value);
void put_u64(struct buffer *b, uint64_t value);
void put_bytes(struct buffer *b, datong_bytes bytes);
void put_text(struct buffer *b, const char *text);
void buffer_free(struct buffer *b);

/* Reads never pass the end: a short body sets `bad` and gives zeros and empty spans. */
struct input {
    const uint8_t *at;
    size_t left;
    int bad;
};
uint8_t get_u8(struct input *in);
uint16_t get_u16(struct input *in);
uint32_t get_u32(struct input *in);
uint64_t get_u64(struct input *in);
datong_bytes get_bytes(struct input *in);
/* A count of elements that take at least `least` bytes each: refused when they cannot be there. */
uint32_t get_count(struct input *in, size_t least);

/* Memory or the end of the worker: there is no half-way. */
void *must_allocate(size_t size);
void *must_reallocate(void *old, size_t size);

int64_t monotonic_ms(void);

/* ---- load.c --------------------------------------------------------------------------------------- */

struct refusal {
    uint32_t code; /* 0: not refused */
    uint32_t needs;
    uint32_t built;
    char detail[REFUSAL_BYTES];
};
const datong_plugin *load_plugin(const char *path, struct refusal *refusal);

/* ---- a call in progress ---------------------------------------------------------------------------- */

/* A block of a call's arena: a service reply, or an array made from it. */
struct block {
    struct block *next;
    struct block *companion; /* released together with this one */
    size_t size;
    int wipe;
    _Alignas(16) uint8_t data[];
};

struct call {
    struct call *next; /* queue */
    uint64_t id;
    uint32_t op;
    uint32_t flags;
    int64_t deadline_ms;
    int64_t monotonic_deadline_ms;
    uint64_t fence_epoch;
    uint32_t attempt;
    datong_bytes trace;
    uint8_t *body;
    struct input request;
    atomic_int cancelled;

    uint64_t serial; /* what its sinks are known by */
    struct buffer items;
    uint32_t item_count;
    struct buffer failure; /* empty: `fail` was not called */
    uint32_t breaches;
    char breach_text[BREACH_BYTES];
    struct block *arena;
    datong_bytes explanation;
    uint32_t record_count; /* write, poll, undo */
    uint8_t *seen;         /* one per record */
    uint64_t max_records;  /* read */
    uint64_t records;
    int closed;            /* the one text, page, endpoint or answer was given */
    int stopped;           /* a sink has said: the call is to end, return */
};

/* What a plugin is handed for one call. Kept for a while after it, so that a pointer held too long is
 * recognised and not mistaken for the next call. */
struct lease {
    datong_call call;
    union {
        datong_text_sink text;
        datong_read_sink read;
        datong_write_sink write;
        datong_find_sink find;
        datong_event_sink event;
        datong_listen_sink listen;
        datong_receive_sink receive;
    } sink;
};

struct worker;
struct thread {
    struct worker *worker;
    uint16_t slot;
    pthread_t handle;
    struct call *current; /* under mutex for the reader, plain for this thread */
    struct lease leases[LEASES_KEPT];
    uint32_t lease_at;
    struct buffer scratch;

    pthread_mutex_t mutex;
    pthread_cond_t replied;
    int waiting;
    int gone; /* the host is: no reply will come */
    uint32_t sequence;
    struct block *reply;
};

struct worker {
    int fd;
    int in_process;
    const datong_plugin *plugin;
    uint32_t minor;
    void *connection; /* written by the OPEN call, before any other call is sent */
    atomic_uint stray; /* breaches outside any call; reported with the next result */

    pthread_mutex_t mutex;
    pthread_cond_t work;
    struct call *first;
    struct call **last;
    uint32_t queued;
    uint32_t idle;
    uint32_t running;
    int closing;
    struct thread **threads; /* appended by the reader only */
    uint32_t thread_count;
    uint32_t thread_max;

    pthread_mutex_t out_mutex;
    pthread_cond_t out_room;
    struct buffer out;
    struct buffer writing;
    int flushing;
    int broken;
};

/* The thread a plugin function runs on; NULL elsewhere. */
extern _Thread_local struct thread *this_thread;
/* The process's one worker; NULL when the process is the host's own. */
extern struct worker *sole_worker;

/* The current call if `call` is the one handed to this thread, else NULL and a breach. */
struct call *current_call(const datong_call *call);
/* The same for a sink's context. */
struct call *current_sink(void *context);
void breach(struct call *call, uint32_t what, const char *text);
int bytes_valid(struct call *call, datong_bytes bytes, uint64_t limit, const char *what);
int failure_encode(struct call *call, const datong_failure *failure, struct buffer *into);
void fail_from_worker(struct call *call, uint32_t error_class, const char *zh, const char *en);
int call_cancelled(const struct call *call);
/* With its companion; wiped where it may hold a secret. */
void block_free(struct block *block);

/* ---- worker.c --------------------------------------------------------------------------------------- */

/* Send one frame: header and up to two pieces of body. Many threads' frames leave with one write. */
void send_frame(struct worker *w, uint32_t kind, uint16_t flags, uint64_t id, const struct buffer *body,
                const struct buffer *tail);
/* Ask the host and wait. The request's body is in thread->scratch after its prefix. NULL when the host
 * is gone. The block belongs to the caller. */
struct block *ask_host(struct thread *thread, struct call *call);
void begin_request(struct thread *thread, uint32_t function);

/* ---- rehearsal.c ------------------------------------------------------------------------------------- */

/* All zero in a host in service. */
struct rehearsal {
    uint32_t later;  /* bytes by which a host of a later minor hands out longer structs */
    int bare;        /* a host that offers no service */
    uint32_t cycles; /* OPEN opens and closes so many times, says what grew, and opens */
    int watch;       /* the plugin's threads may not do what a plugin has no business doing */
};
extern struct rehearsal rehearsal;
/* Take the worker's third argument. 0: no such rehearsal. */
int rehearse(const char *what);
/* The table a plugin is given. */
const datong_host *offered_host(void);
int32_t rehearse_cycles(struct call *call, const datong_call *handle, const datong_open_request *request);
/* From here on this thread, and what it starts, leaves with DW_WATCH_STATUS at a forbidden system call. 0, or errno. */
int watch_this_thread(void);
/* The size of a struct that a plugin is given. */
#define GIVEN_SIZE(thing) ((uint32_t)sizeof(thing) + rehearsal.later)

/* ---- services.c, abilities.c --------------------------------------------------------------------------- */

extern const datong_host host_table;
void run_call(struct thread *thread, struct call *call);
void list_abilities(const datong_plugin *plugin, struct buffer *into);
void arena_free(struct call *call);

#endif
