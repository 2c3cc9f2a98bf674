/*
 * What the rooms use of OpenSSL 3 libcrypto, and the few functions that are easier to get right in C:
 * where a macro, a cast or a wiped stack buffer is needed. Every name of ours begins with datong_.
 */
#ifndef DATONG_COPENSSL_SHIM_H
#define DATONG_COPENSSL_SHIM_H

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdint.h>
#include <string.h>

#include "openssl_limits.h"

enum { datong_gcm_nonce_size = 12, datong_gcm_tag_size = 16, datong_sha256_size = 32 };

/* HMAC by digest; `out` has room for EVP_MAX_MD_SIZE bytes. 1, or 0 on failure. */
static inline int datong_hmac(
    const EVP_MD *digest, const void *key, size_t key_size, const void *data, size_t size, unsigned char *out,
    unsigned int *out_size)
{
    /* HMAC() takes NULL for "the key of last time": an empty key needs an address. */
    static const unsigned char nothing = 0;
    if (key_size > INT_MAX) {
        return 0;
    }
    return HMAC(digest, key_size == 0 ? &nothing : key, (int)key_size, data, size, out, out_size) != NULL;
}

/* RFC 5869 with SHA-256 and 32 bytes of output (one block of the expand step). 1, or 0 on failure. */
static inline int datong_hkdf_sha256(
    const void *key, size_t key_size, const void *salt, size_t salt_size, const void *info, size_t info_size,
    unsigned char *out)
{
    unsigned char extracted[EVP_MAX_MD_SIZE];
    unsigned char expanded[EVP_MAX_MD_SIZE];
    unsigned char block[DATONG_HKDF_BLOCK_BYTES];
    unsigned int size = 0;
    if (info_size >= sizeof block) {
        return 0;
    }
    if (info_size > 0) {
        memcpy(block, info, info_size);
    }
    block[info_size] = 1;
    int ok = datong_hmac(EVP_sha256(), salt, salt_size, key, key_size, extracted, &size) &&
             datong_hmac(EVP_sha256(), extracted, size, block, info_size + 1, expanded, &size);
    if (ok) {
        memcpy(out, expanded, datong_sha256_size);
    }
    OPENSSL_cleanse(extracted, sizeof extracted);
    OPENSSL_cleanse(expanded, sizeof expanded);
    return ok;
}

/* Give a context its AES-256-GCM key for sealing (1) or opening (0); nonces follow per message. */
static inline int datong_gcm_key(EVP_CIPHER_CTX *context, const unsigned char *key, int sealing)
{
    return EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, key, NULL, sealing);
}

/* One message with a keyed context: `out` receives size + 16 bytes, ciphertext then tag. 1, or 0. */
static inline int datong_gcm_seal(
    EVP_CIPHER_CTX *context, const unsigned char *nonce, const unsigned char *additional, size_t additional_size,
    const unsigned char *plain, size_t size, unsigned char *out)
{
    int written = 0;
    int rest = 0;
    if (size > INT_MAX - 64 || additional_size > INT_MAX - 64) {
        return 0;
    }
    return EVP_EncryptInit_ex(context, NULL, NULL, NULL, nonce) == 1 &&
           (additional_size == 0 ||
            EVP_EncryptUpdate(context, NULL, &written, additional, (int)additional_size) == 1) &&
           (size == 0 || EVP_EncryptUpdate(context, out, &written, plain, (int)size) == 1) &&
           EVP_EncryptFinal_ex(context, out + size, &rest) == 1 && rest == 0 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, datong_gcm_tag_size, out + size) == 1;
}

/* The other way: `sealed` is ciphertext then tag, `size` its whole length, `out` receives size - 16 bytes.
 * 1; 0 when the tag does not fit, and then `out` holds zeros. */
static inline int datong_gcm_open(
    EVP_CIPHER_CTX *context, const unsigned char *nonce, const unsigned char *additional, size_t additional_size,
    const unsigned char *sealed, size_t size, unsigned char *out)
{
    int written = 0;
    int rest = 0;
    unsigned char tag[datong_gcm_tag_size];
    if (size < datong_gcm_tag_size || size > INT_MAX - 64 || additional_size > INT_MAX - 64) {
        return 0;
    }
    size_t plain_size = size - datong_gcm_tag_size;
    memcpy(tag, sealed + plain_size, sizeof tag);
    int ok = EVP_DecryptInit_ex(context, NULL, NULL, NULL, nonce) == 1 &&
             EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, datong_gcm_tag_size, tag) == 1 &&
             (additional_size == 0 ||
              EVP_DecryptUpdate(context, NULL, &written, additional, (int)additional_size) == 1) &&
             (plain_size == 0 || EVP_DecryptUpdate(context, out, &written, sealed, (int)plain_size) == 1) &&
             EVP_DecryptFinal_ex(context, out + plain_size, &rest) == 1;
    if (!ok && plain_size > 0) {
        OPENSSL_cleanse(out, plain_size);
    }
    return ok;
}

/* An encrypted PEM must fail, not ask on the terminal. */
static inline int datong_no_passphrase(char *buffer, int size, int writing, void *user)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

static inline EVP_PKEY *datong_read_private_pem(const void *bytes, size_t size)
{
    if (size > INT_MAX) {
        return NULL;
    }
    BIO *source = BIO_new_mem_buf(bytes, (int)size);
    EVP_PKEY *key = source == NULL ? NULL : PEM_read_bio_PrivateKey(source, NULL, datong_no_passphrase, NULL);
    BIO_free(source);
    return key;
}

static inline EVP_PKEY *datong_read_public_pem(const void *bytes, size_t size)
{
    if (size > INT_MAX) {
        return NULL;
    }
    BIO *source = BIO_new_mem_buf(bytes, (int)size);
    EVP_PKEY *key = source == NULL ? NULL : PEM_read_bio_PUBKEY(source, NULL, datong_no_passphrase, NULL);
    BIO_free(source);
    return key;
}

static inline int datong_is_rsa(const EVP_PKEY *key)
{
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
}

static inline int datong_is_ed25519(const EVP_PKEY *key)
{
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
}

#endif
