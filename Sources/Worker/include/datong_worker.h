/*
 * datong_worker.h - the conversation between the host and a worker: numbers shared by both sides, and
 * the entry the host uses for a worker inside its own process. docs/worker-protocol.md describes the frames.
 */
#ifndef DATONG_WORKER_H
#define DATONG_WORKER_H

#include <stdint.h>

#include "worker_limits.h"

/* The version of the program the worker is part of, as `datong --version` says it. */
#define DW_VERSION "0.1.0"

/* Raised whenever a frame changes. Host and worker are shipped together, so there is no range. */
#define DW_PROTOCOL 1u

/* How a worker leaves that was asked to watch its plugin: the plugin did what it may not; the system cannot watch. */
#define DW_WATCH_STATUS 86
#define DW_UNWATCHED_STATUS 87

/* Frame: u32 body length, u16 kind, u16 flags, u64 id, body. Little endian. */
#define DW_HEADER_BYTES 16u

#define DW_HELLO 1u
#define DW_REFUSED 2u
#define DW_OPEN 3u
#define DW_OPENED 4u
#define DW_CALL 5u
#define DW_RESULT 6u
#define DW_SERVICE 7u
#define DW_SERVICE_REPLY 8u
#define DW_NOTE 9u
#define DW_CANCEL 10u
#define DW_CLOSE 11u
#define DW_GOODBYE 12u

/* Why a library was refused. */
#define DW_FILE_MISSING 1u
#define DW_FILE_UNREADABLE 2u
#define DW_NOT_ELF 3u
#define DW_WRONG_MACHINE 4u
#define DW_MISSING_DEPENDENCY 5u
#define DW_LOAD_FAILED 6u
#define DW_MISSING_SYMBOL 7u
#define DW_OTHER_EPOCH 8u
#define DW_BAD_MAGIC 9u
#define DW_BAD_ENTRY 10u
#define DW_MINOR_TOO_NEW 11u /* the plugin needs a newer host */
#define DW_MINOR_TOO_OLD 12u /* the plugin was built for an older contract than the host bears */
#define DW_INIT_FAILED 13u

/* What a CALL asks. */
#define DW_OP_OPEN 0u
#define DW_OP_DESCRIBE 1u
#define DW_OP_PROBE 2u
#define DW_OP_READ 3u
#define DW_OP_WRITE 4u
#define DW_OP_POLL 5u
#define DW_OP_UNDO 6u
#define DW_OP_FIND 7u
#define DW_OP_QUERY 8u
#define DW_OP_ROTATE 9u
#define DW_OP_LISTEN_OPEN 10u
#define DW_OP_LISTEN_FRAME 11u
#define DW_OP_RECEIVE 12u
#define DW_OP_IDENTIFY 13u
#define DW_OP_MIGRATE_STATE 14u

/* What a RESULT holds: tagged items, in the order the plugin gave them. */
#define DW_ITEM_TEXT 1u
#define DW_ITEM_RECORD 2u
#define DW_ITEM_PAGE 3u
#define DW_ITEM_WRITE 4u
#define DW_ITEM_FOUND 5u
#define DW_ITEM_HINT 6u
#define DW_ITEM_SEND_NOW 7u
#define DW_ITEM_SEND_AFTER_DURABLE 8u
#define DW_ITEM_RECONNECT 9u
#define DW_ITEM_ENDPOINT 10u
#define DW_ITEM_ANSWER 11u

/* What a SERVICE asks, and what a NOTE says. */
#define DW_HTTP_SEND 1u
#define DW_SQL_RUN 2u
#define DW_CRYPTO_RUN 3u
#define DW_SECRET_EXISTS 10u
#define DW_SECRET_REVEAL 11u
#define DW_SECRET_REPLACE 12u
#define DW_SESSION_ACQUIRE 20u
#define DW_SESSION_PUBLISH 21u
#define DW_SESSION_ABANDON 22u
#define DW_SESSION_INVALIDATE 23u
#define DW_STATE_GET 30u
#define DW_STATE_PUT 31u
#define DW_CHECKPOINT_SAVE 40u
#define DW_BLOB_LENGTH 50u
#define DW_BLOB_READ 51u
#define DW_BLOB_CREATE 52u
#define DW_CLOCK_NOW 60u
#define DW_ID_RANDOM 61u
#define DW_NOTE_LOG 70u
#define DW_NOTE_METRIC 71u
#define DW_NOTE_PROGRESS 72u

/* The shape of a SERVICE_REPLY. */
#define DW_SHAPE_NONE 0u
#define DW_SHAPE_BYTES 1u
#define DW_SHAPE_NUMBER 2u
#define DW_SHAPE_HTTP 3u
#define DW_SHAPE_SESSION 4u

/* Breaches of the contract seen during a call, as bits. */
#define DW_BREACH_MISSING_RESULT 0x1u   /* OK with fewer results than records, or without text, page, answer */
#define DW_BREACH_INDEX 0x2u            /* a result or checkpoint for a record that was not in the request */
#define DW_BREACH_TWICE 0x4u            /* a second result, text, page, endpoint or answer */
#define DW_BREACH_SIZE 0x8u             /* a size field that no version of the struct has */
#define DW_BREACH_LENGTH 0x10u          /* bytes without data, above 2^31, or longer than the field may be */
#define DW_BREACH_FLAGS 0x20u           /* a flag that must be understood, or a reserved field that is not zero */
#define DW_BREACH_VALUE 0x40u           /* a null pointer, an unknown outcome, effect or operation */
#define DW_BREACH_NO_REASON 0x80u       /* DATONG_FAILED without `fail` */
#define DW_BREACH_RETURN 0x100u         /* neither OK nor FAILED, or OK after `fail` */
#define DW_BREACH_OUTSIDE 0x200u        /* a host function or sink used outside its call or on another thread */
#define DW_BREACH_TOO_MUCH 0x400u       /* more records than asked for, or more bytes than a result may hold */

/* Converse on `fd` until the host goes or says CLOSE; closes fd. In a process of its own it never
 * returns to code that could be in the way: the host's end of file ends the process. In-process
 * (`in_process` 1) it returns once every thread it started has ended. Returns an exit status. */
int datong_worker_run(int fd, const char *plugin_path, int in_process);

/* Lock the process down before plugin code runs. 0, or an errno. */
int worker_confine(void);

#endif
