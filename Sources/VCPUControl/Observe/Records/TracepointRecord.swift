/// A record of the programs `observe` and `stop`: one side of a VMGEXIT, or another access.
package enum TracepointRecord: Sendable, Equatable {
    case request(Side)
    case response(Side)
    /// A port or MSR access of a guest without SEV-ES.
    case access(thread: UInt32, PassedExit.Kind)

    /// A page, or in the MSR protocol none, as one tracepoint found it.
    package struct Side: Sendable, Equatable {
        package var vcpu: Int
        package var thread: UInt32
        /// MSR_AMD64_SEV_ES_GHCB.
        package var msr: UInt64
        package var page: GHCBPage?
        /// What KVM is about to write to the page, with RAX, RBX, RCX and RDX.
        package var registers: RegisterFile?
    }

    /// The thread whose vCPU it is about.
    var thread: UInt32 {
        switch self {
        case .request(let side), .response(let side): side.thread
        case .access(let thread, _): thread
        }
    }

    /// The size of the longest record.
    static let longest = headSize + GHCBPage.size
    private static let headSize = 4 * 4 + 5 * 8

    /// Reads a record; the fields are those of observe.h, in its order.
    ///
    /// - Returns: `nil` for bytes that the program cannot have written.
    package static func decode(_ bytes: [UInt8]) -> TracepointRecord? {
        var reader = RecordReader(bytes)
        guard let kind = reader.word32() else { return nil }
        if kind == 32 || kind == 33 { return access(kind, from: &reader) }
        guard let vcpu = reader.word32(), let thread = reader.word32(), let word = reader.word32()
        else { return nil }
        guard let msr = reader.word64(), let registers = registers(from: &reader) else {
            return nil
        }
        var side = Side(
            vcpu: Int(vcpu), thread: thread, msr: msr, registers: word == 0 ? nil : registers)
        if kind == 16 || kind == 17 {
            guard let page = reader.bytes(GHCBPage.size).flatMap({ GHCBPage($0) }) else {
                return nil
            }
            side.page = page
        }
        switch kind {
        case 16, 18: return .request(side)
        case 17, 19: return .response(side)
        default: return nil
        }
    }

    private static func access(
        _ kind: UInt32, from reader: inout RecordReader
    ) -> TracepointRecord? {
        guard let thread = reader.word32(), let isWrite = reader.word64(),
            let address = reader.word64(), let size = reader.word64(), let count = reader.word64(),
            let value = reader.word64()
        else { return nil }
        let number = UInt32(truncatingIfNeeded: address)
        guard kind == 32 else {
            return .access(
                thread: thread, isWrite == 0 ? .readMSR(number) : .writeMSR(number, value))
        }
        let port = PortAccess(
            port: UInt16(truncatingIfNeeded: address), size: Int(clamping: size),
            count: Int(clamping: count), data: [], isInput: isWrite == 0)
        return .access(thread: thread, .port(port))
    }

    private static func registers(from reader: inout RecordReader) -> RegisterFile? {
        var file = RegisterFile()
        for register in [Register.rax, .rbx, .rcx, .rdx] {
            guard let value = reader.word64() else { return nil }
            file[register] = value
        }
        return file
    }
}
