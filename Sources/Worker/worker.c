/*
 * The conversation. One thread reads: it takes whatever has arrived with one system call and hands out
 * every whole frame in it. Calls go to a pool that grows with what the host keeps in flight. Whoever has a
 * frame to send appends it; the first to find nobody writing writes everything there is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker.h"

enum exit_status { EXIT_DONE = 0, EXIT_REFUSED = 2, EXIT_PROTOCOL = 3, EXIT_HOST_GONE = 4 };

/* init and shutdown of one library never overlap, though several in-process workers may load it. */
static pthread_mutex_t lifecycle = PTHREAD_MUTEX_INITIALIZER;

/* ---- sending ------------------------------------------------------------------------------------ */

static int write_all(int fd, const uint8_t *data, size_t size) {
    while (size > 0) {
        ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;
        data += n;
        size -= (size_t)n;
    }
    return 1;
}

void send_frame(struct worker *w, uint32_t kind, uint16_t flags, uint64_t id, const struct buffer *body,
                const struct buffer *tail) {
    size_t size = (body ? body->size : 0) + (tail ? tail->size : 0);
    pthread_mutex_lock(&w->out_mutex);
    while (w->out.size > OUT_BYTES && w->flushing && !w->broken) pthread_cond_wait(&w->out_room, &w->out_mutex);
    if (w->broken) {
        pthread_mutex_unlock(&w->out_mutex);
        return;
    }
    put_u32(&w->out, (uint32_t)size);
    put_u16(&w->out, (uint16_t)kind);
    put_u16(&w->out, flags);
    put_u64(&w->out, id);
    if (body) put_raw(&w->out, body->data, body->size);
    if (tail) put_raw(&w->out, tail->data, tail->size);
    if (w->flushing) {
        pthread_mutex_unlock(&w->out_mutex);
        return;
    }
    w->flushing = 1;
    while (w->out.size > 0 && !w->broken) {
        struct buffer full = w->out;
        w->out = w->writing;
        w->out.size = 0;
        w->writing = (struct buffer){0};
        pthread_cond_broadcast(&w->out_room);
        pthread_mutex_unlock(&w->out_mutex);
        int sent = write_all(w->fd, full.data, full.size);
        if (full.room > OUT_KEPT_BYTES) buffer_free(&full);
        pthread_mutex_lock(&w->out_mutex);
        w->writing = full;
        if (!sent) w->broken = 1;
    }
    w->flushing = 0;
    pthread_cond_broadcast(&w->out_room);
    pthread_mutex_unlock(&w->out_mutex);
}

void begin_request(struct thread *thread, uint32_t function) {
    thread->scratch.size = 0;
    put_u32(&thread->scratch, ++thread->sequence);
    put_u32(&thread->scratch, function);
}

struct block *ask_host(struct thread *thread, struct call *call) {
    pthread_mutex_lock(&thread->mutex);
    if (thread->gone) {
        pthread_mutex_unlock(&thread->mutex);
        return NULL;
    }
    thread->waiting = 1;
    pthread_mutex_unlock(&thread->mutex);
    send_frame(thread->worker, DW_SERVICE, thread->slot, call->id, &thread->scratch, NULL);
    if (thread->scratch.room > OUT_KEPT_BYTES) buffer_free(&thread->scratch);
    pthread_mutex_lock(&thread->mutex);
    while (!thread->reply && !thread->gone) pthread_cond_wait(&thread->replied, &thread->mutex);
    struct block *reply = thread->reply;
    thread->reply = NULL;
    thread->waiting = 0;
    pthread_mutex_unlock(&thread->mutex);
    return reply;
}

/* ---- the pool -------------------------------------------------------------------------------------- */

static void call_free(struct call *call) {
    arena_free(call);
    buffer_free(&call->items);
    buffer_free(&call->failure);
    free(call->seen);
    free(call->body);
    free(call);
}

static void send_result(struct thread *thread, struct call *call) {
    struct worker *w = thread->worker;
    unsigned stray = atomic_exchange(&w->stray, 0);
    if (stray) breach(call, stray, "a host function or sink was used outside its call");
    struct buffer head = {0};
    put_u32(&head, call->breaches);
    put_text(&head, call->breach_text);
    put_u8(&head, call->failure.size > 0);
    put_raw(&head, call->failure.data, call->failure.size);
    put_u32(&head, call->item_count);
    send_frame(w, call->op == DW_OP_OPEN ? DW_OPENED : DW_RESULT, 0, call->id, &head, &call->items);
    buffer_free(&head);
}

static void *work(void *argument) {
    struct thread *thread = argument;
    struct worker *w = thread->worker;
    this_thread = thread;
    if (rehearsal.watch && watch_this_thread() != 0) _exit(DW_UNWATCHED_STATUS);
    pthread_mutex_lock(&w->mutex);
    for (;;) {
        while (!w->first && !w->closing) {
            w->idle++;
            pthread_cond_wait(&w->work, &w->mutex);
            w->idle--;
        }
        struct call *call = w->first;
        if (!call) break;
        w->first = call->next;
        if (!w->first) w->last = &w->first;
        w->queued--;
        w->running++;
        /* Without letting go in between, so that a CANCEL finds the call in the queue or here. */
        pthread_mutex_lock(&thread->mutex);
        thread->current = call;
        pthread_mutex_unlock(&thread->mutex);
        pthread_mutex_unlock(&w->mutex);

        run_call(thread, call);
        pthread_mutex_lock(&thread->mutex);
        thread->current = NULL;
        pthread_mutex_unlock(&thread->mutex);
        /* Before the result leaves, so that a host that says CLOSE after it finds nothing running. */
        pthread_mutex_lock(&w->mutex);
        w->running--;
        pthread_mutex_unlock(&w->mutex);
        send_result(thread, call);
        call_free(call);

        pthread_mutex_lock(&w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
    this_thread = NULL;
    return NULL;
}

static int add_thread(struct worker *w) {
    struct thread *thread = must_allocate(sizeof *thread);
    memset(thread, 0, sizeof *thread);
    thread->worker = w;
    thread->slot = (uint16_t)w->thread_count;
    pthread_mutex_init(&thread->mutex, NULL);
    pthread_cond_init(&thread->replied, NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int error = pthread_create(&thread->handle, &attributes, work, thread);
    pthread_attr_destroy(&attributes);
    if (error) {
        free(thread);
        return w->thread_count > 0; /* the ones there are will get to it */
    }
    w->threads[w->thread_count++] = thread;
    return 1;
}

static int dispatch(struct worker *w, struct call *call) {
    pthread_mutex_lock(&w->mutex);
    call->next = NULL;
    *w->last = call;
    w->last = &call->next;
    w->queued++;
    int grow = w->queued > w->idle && w->thread_count < w->thread_max;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->mutex);
    return grow ? add_thread(w) : 1;
}

/* ---- frames from the host ---------------------------------------------------------------------------- */

static int take_call(struct worker *w, uint32_t op, uint64_t id, const uint8_t *body, size_t size) {
    struct call *call = must_allocate(sizeof *call);
    memset(call, 0, sizeof *call);
    call->id = id;
    call->op = op;
    call->body = must_allocate(size);
    memcpy(call->body, body, size);
    struct input in = {call->body, size, 0};
    if (op == DW_OP_OPEN) {
        uint32_t threads = get_u32(&in);
        if (w->thread_max || threads == 0 || threads > THREADS_MAX) in.bad = 1;
        if (!in.bad) w->thread_max = threads;
    } else {
        call->op = get_u32(&in);
        if (!w->thread_max) in.bad = 1; /* nothing before OPEN */
    }
    call->deadline_ms = (int64_t)get_u64(&in);
    int64_t remaining = (int64_t)get_u64(&in);
    int64_t now = monotonic_ms();
    call->monotonic_deadline_ms = remaining < INT64_MAX - now ? now + remaining : INT64_MAX;
    call->fence_epoch = get_u64(&in);
    call->attempt = get_u32(&in);
    call->flags = get_u32(&in);
    call->trace = get_bytes(&in);
    call->request = in;
    if (in.bad || (op != DW_OP_OPEN && (call->op == DW_OP_OPEN || call->op > DW_OP_MIGRATE_STATE))) {
        call_free(call);
        return 0;
    }
    return dispatch(w, call);
}

static int take_reply(struct worker *w, uint16_t slot, uint64_t id, const uint8_t *body, size_t size) {
    struct input in = {body, size, 0};
    uint32_t sequence = get_u32(&in);
    if (in.bad || slot >= w->thread_count) return 0;
    struct thread *thread = w->threads[slot];
    struct block *block = must_allocate(sizeof *block + in.left);
    memset(block, 0, sizeof *block);
    block->size = in.left;
    memcpy(block->data, in.at, in.left);
    pthread_mutex_lock(&thread->mutex);
    /* An answer nobody waits for any more is dropped. */
    int wanted = thread->waiting && !thread->reply && thread->sequence == sequence && thread->current &&
                 thread->current->id == id;
    if (wanted) {
        thread->reply = block;
        pthread_cond_signal(&thread->replied);
    }
    pthread_mutex_unlock(&thread->mutex);
    if (!wanted) free(block);
    return 1;
}

static void take_cancel(struct worker *w, uint64_t id) {
    pthread_mutex_lock(&w->mutex);
    for (struct call *call = w->first; call; call = call->next)
        if (call->id == id) atomic_store(&call->cancelled, 1);
    pthread_mutex_unlock(&w->mutex);
    for (uint32_t i = 0; i < w->thread_count; i++) {
        struct thread *thread = w->threads[i];
        pthread_mutex_lock(&thread->mutex);
        if (thread->current && thread->current->id == id) atomic_store(&thread->current->cancelled, 1);
        pthread_mutex_unlock(&thread->mutex);
    }
}

static int busy(struct worker *w) {
    pthread_mutex_lock(&w->mutex);
    int calls = w->queued + w->running > 0;
    pthread_mutex_unlock(&w->mutex);
    return calls;
}

enum step { STEP_ON, STEP_CLOSE, STEP_ERROR };

static enum step take_frame(struct worker *w, uint16_t kind, uint16_t flags, uint64_t id, const uint8_t *body,
                            size_t size) {
    switch (kind) {
    case DW_OPEN: return take_call(w, DW_OP_OPEN, id, body, size) ? STEP_ON : STEP_ERROR;
    case DW_CALL: return take_call(w, DW_OP_DESCRIBE, id, body, size) ? STEP_ON : STEP_ERROR;
    case DW_SERVICE_REPLY: return take_reply(w, flags, id, body, size) ? STEP_ON : STEP_ERROR;
    case DW_CANCEL: take_cancel(w, id); return STEP_ON;
    case DW_CLOSE: return busy(w) ? STEP_ERROR : STEP_CLOSE;
    default: return STEP_ERROR;
    }
}

/* Every whole frame of the input; what is left of the last one stays. */
static enum step take_frames(struct worker *w, struct buffer *in) {
    size_t at = 0;
    enum step step = STEP_ON;
    while (step == STEP_ON && in->size - at >= DW_HEADER_BYTES) {
        struct input header = {in->data + at, DW_HEADER_BYTES, 0};
        uint32_t size = get_u32(&header);
        uint16_t kind = get_u16(&header);
        uint16_t flags = get_u16(&header);
        uint64_t id = get_u64(&header);
        if (size > DW_MAX_BODY_BYTES) return STEP_ERROR;
        if (in->size - at - DW_HEADER_BYTES < size) break;
        step = take_frame(w, kind, flags, id, in->data + at + DW_HEADER_BYTES, size);
        at += DW_HEADER_BYTES + size;
    }
    if (at > 0) memmove(in->data, in->data + at, in->size - at);
    in->size -= at;
    return step;
}

static enum exit_status converse(struct worker *w) {
    struct buffer in = {0};
    enum exit_status status = EXIT_HOST_GONE;
    for (;;) {
        if (in.room - in.size < READ_BYTES) {
            in.room = in.size < READ_BYTES ? 2 * READ_BYTES : in.size * 2;
            in.data = must_reallocate(in.data, in.room);
        }
        ssize_t n = recv(w->fd, in.data + in.size, in.room - in.size, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        in.size += (size_t)n;
        enum step step = take_frames(w, &in);
        if (step == STEP_ON) {
            if (in.size == 0 && in.room > OUT_BYTES) buffer_free(&in);
            continue;
        }
        status = step == STEP_CLOSE ? EXIT_DONE : EXIT_PROTOCOL;
        break;
    }
    buffer_free(&in);
    return status;
}

/* ---- from start to end --------------------------------------------------------------------------------- */

static void say_hello(struct worker *w) {
    const datong_plugin *plugin = w->plugin;
    struct buffer body = {0};
    put_u32(&body, DW_PROTOCOL);
    put_u32(&body, DATONG_EPOCH);
    put_u32(&body, host_table.minor_min);
    put_u32(&body, host_table.minor_max);
    put_u32(&body, plugin->minor_needs);
    put_u32(&body, plugin->minor_built);
    put_u32(&body, w->minor);
    put_text(&body, plugin->id);
    put_text(&body, plugin->version);
    put_text(&body, plugin->build);
    list_abilities(plugin, &body);
    send_frame(w, DW_HELLO, 0, 0, &body, NULL);
    buffer_free(&body);
}

static void say_refused(struct worker *w, const struct refusal *refusal) {
    struct buffer body = {0};
    put_u32(&body, DW_PROTOCOL);
    put_u32(&body, refusal->code);
    put_u32(&body, host_table.minor_min);
    put_u32(&body, host_table.minor_max);
    put_u32(&body, refusal->needs);
    put_u32(&body, refusal->built);
    put_text(&body, refusal->detail);
    send_frame(w, DW_REFUSED, 0, 0, &body, NULL);
    buffer_free(&body);
}

static void end_threads(struct worker *w) {
    pthread_mutex_lock(&w->mutex);
    w->closing = 1;
    pthread_cond_broadcast(&w->work);
    pthread_mutex_unlock(&w->mutex);
    for (uint32_t i = 0; i < w->thread_count; i++) {
        struct thread *thread = w->threads[i];
        pthread_mutex_lock(&thread->mutex);
        thread->gone = 1;
        if (thread->current) atomic_store(&thread->current->cancelled, 1);
        pthread_cond_broadcast(&thread->replied);
        pthread_mutex_unlock(&thread->mutex);
    }
    for (uint32_t i = 0; i < w->thread_count; i++) {
        struct thread *thread = w->threads[i];
        pthread_join(thread->handle, NULL);
        pthread_mutex_destroy(&thread->mutex);
        pthread_cond_destroy(&thread->replied);
        buffer_free(&thread->scratch);
        free(thread->reply);
        free(thread);
    }
}

static void drop_queue(struct worker *w) {
    pthread_mutex_lock(&w->mutex);
    while (w->first) {
        struct call *call = w->first;
        w->first = call->next;
        call_free(call);
    }
    w->last = &w->first;
    w->queued = 0;
    pthread_mutex_unlock(&w->mutex);
}

static enum exit_status serve_plugin(struct worker *w, const char *plugin_path) {
    struct refusal refusal;
    w->plugin = load_plugin(plugin_path, &refusal);
    if (w->plugin) {
        pthread_mutex_lock(&lifecycle);
        int32_t result = w->plugin->init(offered_host());
        pthread_mutex_unlock(&lifecycle);
        if (result != DATONG_OK) {
            refusal.code = DW_INIT_FAILED;
            snprintf(refusal.detail, sizeof refusal.detail, "init returned %d", (int)result);
            w->plugin = NULL;
        }
    }
    if (!w->plugin) {
        say_refused(w, &refusal);
        return EXIT_REFUSED;
    }
    w->minor = w->plugin->minor_built < host_table.minor_max ? w->plugin->minor_built : host_table.minor_max;
    say_hello(w);
    enum exit_status status = converse(w);
    /* A host that is gone or broke the protocol waits for nothing; the process is the unit that ends. */
    if (status != EXIT_DONE && !w->in_process) _exit(status);
    if (status != EXIT_DONE) {
        pthread_mutex_lock(&w->out_mutex);
        w->broken = 1;
        pthread_cond_broadcast(&w->out_room);
        pthread_mutex_unlock(&w->out_mutex);
        shutdown(w->fd, SHUT_RDWR);
        drop_queue(w);
    }
    end_threads(w);
    if (w->connection) w->plugin->close(w->connection);
    pthread_mutex_lock(&lifecycle);
    w->plugin->shutdown();
    pthread_mutex_unlock(&lifecycle);
    if (status == EXIT_DONE) send_frame(w, DW_GOODBYE, 0, 0, NULL, NULL);
    return status;
}

int datong_worker_run(int fd, const char *plugin_path, int in_process) {
    struct worker *w = must_allocate(sizeof *w);
    memset(w, 0, sizeof *w);
    w->fd = fd;
    w->in_process = in_process;
    w->last = &w->first;
    w->threads = must_allocate(THREADS_MAX * sizeof *w->threads);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_mutex_init(&w->out_mutex, NULL);
    pthread_cond_init(&w->work, NULL);
    pthread_cond_init(&w->out_room, NULL);
    if (!in_process) sole_worker = w;
    enum exit_status status = serve_plugin(w, plugin_path);
    buffer_free(&w->out);
    buffer_free(&w->writing);
    pthread_cond_destroy(&w->out_room);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->out_mutex);
    pthread_mutex_destroy(&w->mutex);
    free(w->threads);
    free(w);
    close(fd);
    return status;
}
