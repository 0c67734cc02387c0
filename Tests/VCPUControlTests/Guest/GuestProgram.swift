@testable import VCPUControl

/// A guest in machine code, built from the steps of a VMGEXIT; rbx is its GHCB all the time.
///
/// It keeps the guest contract: rbx is restored at the end, and the entry returns.
struct GuestProgram {
    private(set) var code: [UInt8] = []

    /// The guest whose steps `body` appends, with the page taken from the GHCB MSR.
    init(_ body: (inout GuestProgram) -> Void) {
        append(0x53)  // push %rbx
        readMSR()
        append(0x48, 0x89, 0xc3)  // mov %rax, %rbx
        body(&self)
        append(0x5b, 0xc3)  // pop %rbx; ret
    }

    var image: GuestImage { GuestImage(flat: code, name: "program") }

    mutating func append(_ bytes: UInt8...) { code += bytes }

    // MARK: The page

    mutating func set(_ field: GHCBField, _ value: UInt64) {
        write(field, value)
        if let bit = field.validBit { mark(bit) }
    }

    /// Writes a field without marking it valid.
    mutating func write(_ field: GHCBField, _ value: UInt64) {
        loadRAX(value)
        storeRAX(field)
    }

    mutating func storeRAX(_ field: GHCBField) {
        let prefix: [UInt8]
        switch field.size {
        case 1: prefix = [0x88]
        case 2: prefix = [0x66, 0x89]
        case 4: prefix = [0x89]
        default: prefix = [0x48, 0x89]
        }
        code += prefix + [0x83] + displacement(field.offset)  // mov %rax, field(%rbx)
    }

    mutating func mark(_ bit: Int) {
        code += [0x80, 0x8b] + displacement(GHCBPage.validBitmapRange.lowerBound + bit / 8)
        append(1 << UInt8(bit % 8))  // orb $…, …(%rbx)
    }

    /// Clears the valid bitmap and puts version and usage in place: the start of a request.
    mutating func begin(version: UInt64 = 1) {
        for offset in [0, 8] {
            code += [0x48, 0xc7, 0x83]  // movq $0, …(%rbx)
            code += displacement(GHCBPage.validBitmapRange.lowerBound + offset) + [0, 0, 0, 0]
        }
        write(.protocolVersion, version)
        write(.ghcbUsage, 0)
    }

    /// The exit code and both information words, then VMGEXIT.
    mutating func send(_ code: ExitCode, _ info1: UInt64 = 0, _ info2: UInt64 = 0) {
        set(.swExitCode, code.rawValue)
        set(.swExitInfo1, info1)
        set(.swExitInfo2, info2)
        vmgexit()
    }

    mutating func vmgexit() { append(0xf3, 0x0f, 0x01, 0xd9) }

    /// Reads bytes of the page into eax, as a guest that looks at its answer does.
    mutating func load(_ offset: Int) { code += [0x8b, 0x83] + displacement(offset) }

    mutating func readInfo1() { load(GHCBField.swExitInfo1.offset) }

    // MARK: The MSR

    mutating func writeMSR(_ value: UInt64) {
        loadRAX(value)
        writeMSR()
    }

    /// The MSR names the page again.
    mutating func restoreMSR() {
        append(0x48, 0x89, 0xd8)  // mov %rbx, %rax
        writeMSR()
    }

    /// The address of the page and something more goes into the MSR.
    mutating func writeMSR(pageOffset offset: Int32) {
        loadRAX(pageOffset: offset)
        writeMSR()
    }

    private mutating func writeMSR() {
        append(0x48, 0x89, 0xc2, 0x48, 0xc1, 0xea, 0x20)  // mov %rax, %rdx; shr $32, %rdx
        append(0xb9, 0x30, 0x01, 0x01, 0xc0, 0x0f, 0x30)  // mov $0xc0010130, %ecx; wrmsr
    }

    private mutating func readMSR() {
        append(0xb9, 0x30, 0x01, 0x01, 0xc0, 0x0f, 0x32)  // mov $0xc0010130, %ecx; rdmsr
        append(0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0)  // shl $32, %rdx; or %rdx, %rax
    }

    // MARK: Encoding

    mutating func loadRAX(_ value: UInt64) {
        code += [0x48, 0xb8] + value.littleEndianBytes(8)  // movabs $…, %rax
    }

    /// The address of a byte in the page, or around it.
    mutating func loadRAX(pageOffset offset: Int32) {
        code += [0x48, 0x8d, 0x83] + displacement(Int(offset))  // lea offset(%rbx), %rax
    }

    private func displacement(_ offset: Int) -> [UInt8] {
        UInt64(bitPattern: Int64(offset)).littleEndianBytes(4)
    }
}

extension GuestProgram {
    /// What a session finds in the guest while it runs to its end on the emulator.
    func findings(_ options: LaunchOptions = LaunchOptions()) throws -> [Finding] {
        let session = try Session.onEmulator(image, options)
        session.submit("continue")
        while session.next() != nil {}
        return session.findings
    }
}

extension Session {
    /// A session with an emulated machine that hides nothing.
    static func onEmulator(_ image: GuestImage, _ options: LaunchOptions) throws -> Session {
        try Session(
            SessionConfiguration(image: image, options: options) {
                plan, _, interrupt throws(MachineError) in
                try EmulatedMachine(plan, interrupt: interrupt)
            })
    }
}
