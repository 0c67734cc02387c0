/// Why `EmulatedVCPU.run(limit:)` came back.
enum CoreExit: Equatable {
    /// As many instructions as asked for are executed; fewer where events follow each other
    /// without an instruction between them.
    case limit
    /// RIP has a breakpoint, and its instruction is not executed.
    case breakpoint
    /// Watched bytes may have changed by the last instruction, or by the delivery of an exception.
    case touched
    /// VMGEXIT: RIP is behind it, and it counts.
    case vmgexit
    /// HLT: RIP is behind it, and it counts.
    case halt
    /// Triple fault; the text names the exception that started it.
    case shutdown(String)
    /// The emulator does not know the instruction at RIP; these are its bytes.
    case unimplemented([UInt8])
}

/// Why an instruction did not end in the usual way.
enum StopOrFault: Error {
    case fault(Fault)
    case stop(CoreExit)
}
