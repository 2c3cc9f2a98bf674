#ifndef DATONG_CCURL_SHIM_H
#define DATONG_CCURL_SHIM_H

// What Swift cannot call itself: variadic functions, unions and function-like macros. Nothing else is here.

#include <curl/curl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

static inline CURLcode datong_curl_set_long(CURL *easy, CURLoption option, long value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode datong_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode datong_curl_set_text(CURL *easy, CURLoption option, const char *value) {
    return curl_easy_setopt(easy, option, value);
}

static inline CURLcode datong_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
    return curl_easy_setopt(easy, option, value);
}

typedef size_t (*datong_curl_bytes_callback)(char *bytes, size_t size, size_t count, void *context);
typedef curl_socket_t (*datong_curl_socket_callback)(void *context, curlsocktype purpose,
                                                     struct curl_sockaddr *address);
typedef int (*datong_curl_prerequest_callback)(void *context, char *remote_address, char *local_address,
                                               int remote_port, int local_port);

static inline CURLcode datong_curl_set_bytes_callback(CURL *easy, CURLoption option,
                                                      datong_curl_bytes_callback callback) {
    return curl_easy_setopt(easy, option, callback);
}

static inline CURLcode datong_curl_set_socket_callback(CURL *easy, datong_curl_socket_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, callback);
}

static inline CURLcode datong_curl_set_prerequest_callback(CURL *easy, datong_curl_prerequest_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, callback);
}

typedef int (*datong_curl_resolve_callback)(void *resolver, void *reserved, void *context);

static inline CURLcode datong_curl_set_resolve_callback(CURL *easy, datong_curl_resolve_callback callback) {
    return curl_easy_setopt(easy, CURLOPT_RESOLVER_START_FUNCTION, callback);
}

static inline CURLcode datong_curl_get_long(CURL *easy, CURLINFO info, long *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode datong_curl_get_offset(CURL *easy, CURLINFO info, curl_off_t *value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode datong_curl_get_pointer(CURL *easy, CURLINFO info, void **value) {
    return curl_easy_getinfo(easy, info, value);
}

static inline CURLMcode datong_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
    return curl_multi_setopt(multi, option, value);
}

// The next finished transfer: its handle and its result. NULL when there is none.
static inline CURL *datong_curl_next_finished(CURLM *multi, CURLcode *result) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(multi, &left))) {
        if (message->msg == CURLMSG_DONE) {
            *result = message->data.result;
            return message->easy_handle;
        }
    }
    return NULL;
}

// The calling thread's name in the system's lists: at most 15 bytes.
static inline void datong_name_this_thread(const char *name) {
    prctl(PR_SET_NAME, (unsigned long)(uintptr_t)name, 0UL, 0UL, 0UL);
}

// libcurl keeps copies of URLs, headers and request buffers. They may hold filled-in secrets, so every block
// is wiped when libcurl gives it back.
static inline void datong_curl_wiping_free(void *block) {
    if (block) {
        explicit_bzero(block, malloc_usable_size(block));
        free(block);
    }
}

static inline void *datong_curl_wiping_realloc(void *block, size_t size) {
    if (!block) {
        return malloc(size);
    }
    size_t old = malloc_usable_size(block);
    if (size <= old && size > old / 4) {
        return block;
    }
    void *fresh = malloc(size ? size : 1);
    if (fresh) {
        memcpy(fresh, block, old < size ? old : size);
        datong_curl_wiping_free(block);
    }
    return fresh;
}

static inline CURLcode datong_curl_global_init(void) {
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, datong_curl_wiping_free, datong_curl_wiping_realloc,
                                strdup, calloc);
}

#endif
