import Glibc

// libFuzzer's own loop; `Makefile` links the library that has it and no `main`.
@_silgen_name("LLVMFuzzerRunDriver")
func fuzzerLoop(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Chosen by `DATONG_FUZZ_TARGET`: libFuzzer takes the arguments.
let chosen = getenv("DATONG_FUZZ_TARGET").map { String(cString: $0) } ?? ""
guard FuzzTarget(rawValue: chosen) != nil else {
    print("DATONG_FUZZ_TARGET is one of \(FuzzTarget.allCases.map(\.rawValue).joined(separator: " "))")
    exit(2)
}

var count = CommandLine.argc
var arguments = CommandLine.unsafeArgv
let code = fuzzerLoop(&count, &arguments) { start, length in
    FuzzTarget.chosen.feed(Array(UnsafeBufferPointer(start: start, count: length)))
    return 0
}
exit(code)
