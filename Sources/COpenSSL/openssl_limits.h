/* openssl_limits.h - every figure that bounds these functions, with its unit and its reason. */
#ifndef DATONG_OPENSSL_LIMITS_H
#define DATONG_OPENSSL_LIMITS_H

/* Bytes of what says whose key is derived, and one counter: a purpose, a name and a number. */
#define DATONG_HKDF_BLOCK_BYTES 1024

#endif
