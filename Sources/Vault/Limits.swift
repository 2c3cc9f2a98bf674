/// The sizes and counts the vault accepts. A file is hostile until its MAC is proved, and the MAC is proved
/// only after the header has been read: so every length has a ceiling before it is believed.
public enum VaultLimits {
    /// Bytes of a whole vault file: 1,000 secrets of a few KiB each, twice. Bounds the memory of opening.
    public static let fileBytes = 32 * 1024 * 1024
    /// Highest generation an anchor may name: one change a millisecond for 285,000 years.
    public static let generation: UInt64 = 1 << 53
    /// Bytes of one secret: a private key with its certificate chain is about 8 KiB.
    public static let secretBytes = 64 * 1024
    /// Bytes of a secret's name: it is shown in one column of a list.
    public static let nameBytes = 128
    /// Bytes of the customer's name, in UTF-8: eighty Chinese characters.
    public static let customerBytes = 256
    /// Bytes of a record field's name.
    public static let fieldBytes = 64
    /// Secrets in one vault: a customer has tens.
    public static let secrets = 4096
    /// Key slots: a person, a key file, a recovery, and one of each while they are replaced.
    public static let slots = 8
    /// Keyring terms: one host term, and two record terms while a rotation runs.
    public static let terms = 64
    /// Bytes of the header: eight slots with the longest customer name stay below 2 KiB.
    public static let headerBytes = 4096
    /// Bytes of a slot's label.
    public static let slotLabelBytes = 64
    /// Bytes of a slot's parameters.
    public static let slotParameterBytes = 256
    /// Least bytes of a passphrase. scrypt makes guessing dear, not impossible.
    public static let passphraseBytesMin = 8
    /// Most bytes of a passphrase: beyond a line of text it is a file given by mistake.
    public static let passphraseBytesMax = 1024
    /// Least bytes of a key file: 256 bits, the strength of the cipher.
    public static let keyFileBytesMin = 32
    /// Most bytes of a key file.
    public static let keyFileBytesMax = 4096
    /// scrypt cost, log2 of N. Below 14 guessing is too cheap; 19 with r = 8 takes 512 MiB and ends there.
    public static let scryptLogNRange = 14...19
    /// scrypt block size r: the usual 8, twice at most.
    public static let scryptBlockRange = 1...16
    /// scrypt lanes p: multiplies time, not memory.
    public static let scryptLanesRange = 1...4
    /// Bytes scrypt may take. A header that asks for more is refused before any memory is reserved.
    public static let scryptMemoryBytes = 512 * 1024 * 1024
    /// Bytes added beyond 128 N r so that OpenSSL's own bookkeeping fits its limit.
    public static let scryptMemorySlackBytes = 1024 * 1024
    /// A secret is padded to a multiple of this before sealing, so that the file does not tell its length.
    public static let paddingBytes = 64
    /// How long a commit waits for another process to finish its own, in milliseconds.
    public static let lockWaitMilliseconds = 5000
    /// Bytes of a label of `wrap` and `hostKey`.
    public static let labelBytes = 128
    /// Bytes of a key given to `wrap`.
    public static let wrappedKeyBytes = 1024
}

/// What a secret expression may cost.
public enum ExpressionLimits {
    /// Bytes of the expression's text.
    public static let textBytes = 1024
    /// Steps in one expression: the longest known chain of a vendor has five.
    public static let steps = 16
    /// Bytes of any intermediate value: a 64 KiB secret percent-encoded twice is 320 KiB.
    public static let valueBytes = 512 * 1024
}

/// What one call of the vendors' algorithms may cost.
public enum CryptoLimits {
    /// Bytes of the joined input: webhook bodies and signed requests are below 1 MiB.
    public static let inputBytes = 16 * 1024 * 1024
    /// Segments in one request.
    public static let segments = 4096
    /// RSA modulus in bits; an 8192-bit private operation takes about 50 ms, larger ones stall a worker.
    public static let rsaBitsRange = 1024...8192
    /// GCM nonces: 12 bytes by the standard, 16 by one or two vendors.
    public static let gcmNonceBytesRange = 12...16
}

/// What masking may cost.
public enum MaskLimits {
    /// Values shorter than this are not masked: they would match by chance in every line.
    public static let valueBytesMin = 6
    /// Lines of a value with several lines (a PEM key) are masked one by one from this length.
    public static let lineBytesMin = 20
    /// Values a name keeps: an access token lives for hours, so 64 reach back for days.
    public static let valuesPerName = 64
    /// Patterns at once: each value gives up to twenty (its encodings), so some hundreds of secrets and tokens.
    public static let patterns = 16384
}

/// Sealing of ledger payloads.
public enum SealerLimits {
    /// Random bytes drawn at a time: one call of the generator serves 682 nonces.
    public static let randomPoolBytes = 8192
    /// Bytes of one payload.
    public static let payloadBytes = 64 * 1024 * 1024
}
