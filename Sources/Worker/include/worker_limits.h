/* worker_limits.h - every figure that bounds the worker, with its reason. Bytes unless it says otherwise. */
#ifndef WORKER_LIMITS_H
#define WORKER_LIMITS_H

/* ---- the conversation; the host keeps the same figures ------------------------------------------------ */

/* One frame's body, 96 MiB: a result of the largest size and what goes around it; beyond this a length is an error. */
#define DW_MAX_BODY_BYTES 100663296u
/* What one call may collect in its sinks, and what one service request may carry, 64 MiB: answers of tens of megabytes
 * without paging exist at vendors. */
#define DW_MAX_RESULT_BYTES 67108864u
/* Read per system call: some hundred small frames. */
#define READ_BYTES (256u * 1024u)
/* Unsent output above which threads wait for the host to read: a page or two of large documents. */
#define OUT_BYTES (8u * 1024u * 1024u)
/* Buffers above this are given back once written: a large answer is rare, and its memory is not kept for the next. */
#define OUT_KEPT_BYTES (1024u * 1024u)

/* ---- the process ---------------------------------------------------------------------------------------- */

/* Address space, 2 GiB: threads, their stacks and answers of tens of megabytes fit; a leak ends one worker. */
#define ADDRESS_SPACE_BYTES (2ull * 1024 * 1024 * 1024)
/* Descriptors: the socket, the standard three, and what the dynamic loader opens for a moment. */
#define OPEN_FILES 64u
/* Arenas: glibc reserves 64 MiB of addresses for each; few keep the address space's limit meaningful. */
#define MALLOC_ARENAS 4
/* A thread's stack: connector code parses documents recursively; glibc's 8 MiB would cost address space per thread. */
#define STACK_BYTES (1024u * 1024u)
/* Threads: the host asks for the sum of its connections' places, at most 64 for each of 13 abilities. */
#define THREADS_MAX 1024u
/* Calls whose context is still recognised after they ended: a pointer held too long is told from the next call's. */
#define LEASES_KEPT 32u

/* ---- loading --------------------------------------------------------------------------------------------- */

/* Epochs looked for when ours is missing, so that the message can name the one found; ten will outlive this file. */
#define EPOCHS_PROBED 10u
/* A `size` field above this is no struct of any version but garbage: the largest struct today has 152. */
#define STRUCT_BYTES 4096u
/* A plugin's id: it becomes part of file names and of a table's column. */
#define PLUGIN_ID_BYTES 32u
/* A plugin's version or build, for people: a line on a screen. */
#define PLUGIN_TEXT_BYTES 128u
/* The reason of a refused library, cut: a path and the loader's sentence. */
#define REFUSAL_BYTES 512

/* ---- what a plugin asks of a service ------------------------------------------------------------------------ */

/* Names, header names, secret expressions: the longest expression in use has 120; a page of text is no name. */
#define NAME_BYTES 8192u
/* An HTTP method: the longest registered one has 17. */
#define METHOD_BYTES 32u
/* The name of an algorithm. */
#define ALGORITHM_BYTES 64u
/* Addresses with a query in them; servers refuse far shorter ones. */
#define URL_BYTES 65536u
/* The value of a header: cookies and signatures; servers refuse more than 8 to 64 KiB. */
#define HEADER_VALUE_BYTES 65536u
/* Headers of a request, or insertions into it: vendors use twenty. */
#define HEADER_COUNT 1024u
/* Pieces that are hashed or signed together: the parameters of one request. */
#define SEGMENT_COUNT 4096u
/* One key of connector state: a cursor, a token's name, a small table; documents belong into the books. The contract
 * promises it. */
#define STATE_BYTES (64u * 1024u)
/* One checkpoint: ids and a step. It is written with every step of every document. The contract promises it. */
#define CHECKPOINT_BYTES 4096u
/* Random bytes at once: nonces and padding. The contract promises it. */
#define RANDOM_BYTES 1024u
/* One line of the log, cut: an engineer reads it. */
#define LOG_BYTES (16u * 1024u)

/* ---- what a plugin gives back --------------------------------------------------------------------------------- */

/* A document's id or type: it becomes part of a key and of a line on a screen. The contract promises it. */
#define ID_BYTES 256u
/* A cursor: a page's token or a link. The contract promises it. */
#define CURSOR_BYTES 4096u
/* Numbers, versions, header values: whatever a vendor puts there. */
#define TEXT_FIELD_BYTES 65536u
/* What `accepted` is asked for with: some vendors' tokens are signed documents. */
#define TOKEN_BYTES 65536u
/* A message, code or field of a failure, cut: for people. */
#define FAILURE_TEXT_BYTES 8192u
/* Messages of one failure; a person reads the first. */
#define FAILURE_MESSAGES 32u
/* The words for all breaches of one call, cut: an engineer needs the first. */
#define BREACH_BYTES 384

/* By how many bytes the structs of a later host are longer than ours: four pointers. */
#define LATER_BYTES 32u

#endif
