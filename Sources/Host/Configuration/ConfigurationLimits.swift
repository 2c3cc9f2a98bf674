/// The figures of the configuration room, each with its unit and its reason.
enum ConfigurationLimits {
    /// Bytes of one YAML file. A customer's largest mapping is about 60 KB; a megabyte is somebody's data file.
    static let fileBytes = 1 << 20
    /// Bytes of one code table. 20,000 materials of 200 bytes are 4 MB.
    static let tableBytes = 16 << 20
    /// Levels of nesting of a YAML file. The deepest of our own formats has 9; deeper is a mistake or an attack on the stack.
    static let depth = 32
    /// Files of one kind in a workspace. One customer has some twenty flows; more is a wrong folder.
    static let filesPerFolder = 500
    /// Bytes of the name of a connection, flow, mapping or table: it becomes a file name and a line on a screen.
    static let nameBytes = 64
    /// Problems reported of one draft. A person reads the first ten; a wrong file must not print thousands.
    static let problems = 200
    /// Rungs of a retry ladder. Twelve doublings of 20 s are already a day.
    static let rungs = 16
    /// Milliseconds of the shortest rung or interval: below one second a vendor sees a storm.
    static let shortestInterval: Int64 = 1_000
    /// Milliseconds of the longest duration: ten years, so that sums never come near overflow.
    static let longestInterval: Int64 = 3_650 * 86_400_000
    /// Milliseconds of the waits of a retry ladder where a flow names none: 20 s, 5 min, 1 h, 4 h, 20 h. An outage of an
    /// evening is outlived, and a person hears of it within the day.
    static let standardLadder: [Int64] = [20_000, 300_000, 3_600_000, 14_400_000, 72_000_000]
    /// Milliseconds of the shortest time between two sweeps: each costs calls of the vendor's quota.
    static let shortestSweep: Int64 = 10_000
    /// Calls a limit of a connection may allow; a larger figure is a slip of the keyboard.
    static let calls = 1_000_000_000
    /// Edits between a word and the word meant. Three edits in a short key is another word.
    static let typoDistance = 3
    /// Revisions are numbered with four digits; a change a day for 27 years.
    static let revisions = 9_999
    /// Bytes of one connector library. Ours are below 2 MB; a plugin with its own statically linked XML stays below 40.
    static let libraryBytes = 256 << 20
}
