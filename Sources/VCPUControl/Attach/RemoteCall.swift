internal import CKVM
internal import Glibc

/// Numbers of system calls on x86-64; asm/unistd_64.h.
enum SystemCall {
    static let mmap = 9
    static let munmap = 11
    static let ioctl = 16
    static let getpid = 39
    /// restart_syscall(2), of those that the kernel keeps the rest of.
    static let restart = 219
}

// System calls that a held thread makes for us.
extension Tracee {
    enum Outcome: Equatable {
        case result(Int64)
        /// A signal for the VMM came before the call was made; the thread stands in front of its delivery.
        case signal(Int32)
    }

    /// Makes a system call at an address in the VMM where there is SYSCALL.
    func perform(
        at address: UInt64, _ number: Int, _ arguments: [UInt64]
    ) throws(TraceFailure) -> Outcome {
        try setUser(calling(address, number, arguments))
        var hasEntered = false
        while true {
            try resume()
            let stop = try wait()
            switch stop.kind {
            case ckvm_stop_entry: hasEntered = true
            case ckvm_stop_exit where hasEntered:
                return .result(Int64(bitPattern: UInt64(try user(at: stop).rax)))
            // The trap's, late; whoever holds the thread has it stand anyway.
            case ckvm_stop_signal where stop.signal == trap: continue
            case ckvm_stop_signal: return .signal(stop.signal)
            case ckvm_stop_gone: throw .ended(status: stop.status)
            default: continue
            }
        }
    }

    func wait() throws(TraceFailure) -> ThreadStop {
        guard let stop = stops.next(of: thread) else { throw .ended(status: nil) }
        return stop
    }

    /// Makes a system call in our code, where all signals are blocked.
    func call(_ number: Int, _ arguments: [UInt64]) throws(TraceFailure) -> Int64 {
        try result(
            of: perform(at: code + UInt64(InjectedCode.layout.call), number, arguments))
    }

    func result(of outcome: Outcome) throws(TraceFailure) -> Int64 {
        switch outcome {
        case .result(let value): return value
        case .signal(let number):
            throw .refused("signal \(number) came to thread \(thread) although it is blocked")
        }
    }

    /// Makes an ioctl of a vCPU, of the thread's own unless it says so, with a struct.
    ///
    /// - Returns: what the ioctl returns, or the negated errno, and the struct as KVM leaves it.
    func ioctl(
        _ request: UInt64, _ argument: [UInt8], of other: ForeignVCPU? = nil
    ) throws(TraceFailure) -> (Int32, [UInt8]) {
        guard argument.count <= Self.argumentSize else {
            throw .refused("an argument of \(argument.count) bytes is too large")
        }
        try memory.write(argument, to: scratch)
        let value = try call(
            SystemCall.ioctl, [UInt64((other ?? vcpu).descriptor), request, scratch])
        let left = memory.read(scratch, count: argument.count) ?? argument
        return (Int32(truncatingIfNeeded: value), left)
    }

    /// Room for an argument, and behind it for the pages that a run of steps may stay in.
    static let argumentSize = 4096
    static let scratchSize = argumentSize + 8192
    static let codeSize = 4096

    func writeData() throws(TraceFailure) {
        try memory.write(
            InjectedCode.raw(data) + (vmmDebug ?? .off).bytes,
            to: code + UInt64(InjectedCode.layout.data))
    }
}
