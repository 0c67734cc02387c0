import CNativeOracle
import Glibc

/// Executes instructions on both processors and compares what they come to.
///
/// Unsafe: both have their memory at plain pointers, which live as long as they do.
@safe struct FuzzComparison: ~Copyable {
    /// What a run of instructions came to.
    struct Summary {
        /// Instructions executed on both.
        var executed = 0
        /// Those that raised an exception.
        var faults = 0
        /// How often each instruction was executed on both, by name.
        var known: [String: Int] = [:]
        /// An example of each instruction that the emulator does not know.
        var unknown: [String: String] = [:]
        var mismatches: [String] = []
    }

    private let native: NativeCPU
    private var emulated: EmulatedCPU
    private var generator: FuzzGenerator
    /// The usual contents of the data pages.
    private let contents: [UInt8]
    private(set) var summary = Summary()

    init?(seed: UInt64) {
        guard let native = NativeCPU(), let emulated = EmulatedCPU() else { return nil }
        self.native = native
        self.emulated = emulated
        generator = FuzzGenerator(seed: seed)
        var random = FuzzRandom(seed: seed)
        contents = (0..<FuzzLayout.data.count).map { offset in
            // Equal bytes in half of a page, for string comparisons that go on.
            offset >> 11 == 6 ? 0 : random.byte()
        }
        let code = [UInt8](repeating: FuzzLayout.filling, count: FuzzLayout.code.count)
        setCode(code, at: FuzzLayout.code.lowerBound)
        for page in FuzzLayout.dataPages {
            unsafe restore(self.native.memory, page)
            unsafe restore(self.emulated.data, page)
        }
    }

    private func setCode(_ bytes: [UInt8], at address: UInt64) {
        native.setCode(bytes, at: address)
        emulated.setCode(bytes, at: address)
    }

    /// Executes the instruction of a number, where it has one.
    mutating func run(_ number: UInt64) {
        guard let test = generator.make(number) else { return }
        let code = test.bytes + (test.hasExit ? NativeCPU.exit : [])
        setCode(code, at: test.state.rip)
        for patch in test.patches { apply(patch) }
        compare(test)
        setCode([UInt8](repeating: FuzzLayout.filling, count: code.count), at: test.state.rip)
        for page in FuzzLayout.dataPages {
            unsafe restore(native.memory, page)
            unsafe restore(emulated.data, page)
        }
    }

    private mutating func compare(_ test: FuzzCase) {
        var ours = test.state
        let chunk: UInt64 = test.number & 1 == 0 ? 1 : 1 << 20
        let outcome = emulated.execute(&ours, of: test, chunk: chunk)
        switch outcome {
        case .unimplemented: summary.unknown[test.name] = test.text
        case .other(let exit): report(test, "the emulator stops: \(exit)")
        case .done(let fault):
            var theirs = test.state
            let expected = native.execute(
                &theirs, length: test.bytes.count, fallsThrough: test.hasExit)
            summary.executed += 1
            summary.known[test.name, default: 0] += 1
            if expected != nil { summary.faults += 1 }
            compare(test, (ours, fault), (theirs, expected))
        }
    }

    private mutating func compare(
        _ test: FuzzCase, _ ours: (state: MachineState, fault: MachineFault?),
        _ theirs: (state: MachineState, fault: MachineFault?)
    ) {
        let mask = test.comparedFlags(faulted: theirs.fault != nil)
        var differences = test.differences(ours.state, theirs.state, flags: mask)
        let (fault, expected) = (ours.fault?.compared, theirs.fault?.compared)
        if fault != expected {
            differences.append("\(describe(fault)), native \(describe(expected))")
        }
        for page in FuzzLayout.dataPages {
            guard let offset = firstDifference(page) else { continue }
            let (mine, native) = unsafe (emulated.data[offset], native.memory[offset])
            let address = hex(FuzzLayout.data.lowerBound + UInt64(offset))
            differences.append(
                "[\(address)]: \(hex(UInt64(mine))), native \(hex(UInt64(native)))")
        }
        if !differences.isEmpty { report(test, differences.joined(separator: "; ")) }
    }

    private mutating func report(_ test: FuzzCase, _ difference: String) {
        summary.mismatches.append(
            "seed \(generator.seed) number \(test.number): \(test.text): \(difference); \(test.inputs)"
        )
    }

    private func describe(_ fault: MachineFault?) -> String {
        guard let fault else { return "no fault" }
        return "#\(fault.vector)(\(hex(fault.errorCode))) at \(hex(fault.address))"
    }

    private func apply(_ patch: FuzzCase.Patch) {
        for (index, byte) in patch.bytes.enumerated() {
            let address = patch.address &+ UInt64(index)
            guard FuzzLayout.data.contains(address), !FuzzLayout.hole.contains(address) else {
                continue
            }
            let offset = Int(address - FuzzLayout.data.lowerBound)
            unsafe native.memory[offset] = byte
            unsafe emulated.data[offset] = byte
        }
    }

    /// The offset of the first byte that differs between both memories.
    private func firstDifference(_ page: Int) -> Int? {
        let range = page << 12..<(page + 1) << 12
        let mine = unsafe UnsafeRawBufferPointer(rebasing: emulated.data[range])
        let theirs = unsafe UnsafeRawBufferPointer(rebasing: native.memory[range])
        if unsafe isEqual(mine, theirs) { return nil }
        return range.first { unsafe emulated.data[$0] != native.memory[$0] }
    }

    /// Puts the usual contents back.
    private func restore(_ memory: UnsafeMutableRawBufferPointer, _ page: Int) {
        let range = page << 12..<(page + 1) << 12
        unsafe contents.withUnsafeBytes { contents in
            let now = unsafe UnsafeRawBufferPointer(rebasing: memory[range])
            let usual = unsafe UnsafeRawBufferPointer(rebasing: contents[range])
            if unsafe isEqual(now, usual) { return }
            unsafe memory[range].copyBytes(from: usual)
        }
    }

    private func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard let left = left.baseAddress, let other = right.baseAddress else { return true }
        return unsafe memcmp(left, other, right.count) == 0
    }
}

extension MachineFault {
    /// What of a fault is the processor's: Linux sets P for addresses of the kernel.
    fileprivate var compared: MachineFault {
        guard vector == 14 else { return MachineFault(vector: vector, errorCode: errorCode) }
        let isKernel = address >= FuzzLayout.kernel
        return MachineFault(
            vector: vector, errorCode: isKernel ? errorCode | 1 : errorCode, address: address)
    }
}

extension FuzzCase {
    /// The bits of RFLAGS whose value is defined.
    fileprivate func comparedFlags(faulted: Bool) -> UInt64 {
        let resume: UInt64 = 1 << 16
        // Intel restores the flags when a repeated comparison faults: it starts over anyway.
        let atFault: UInt64 = isString ? 0x8d5 : 0
        return ~(resume | (faulted ? atFault : undefinedFlags))
    }

    /// What differs between two states.
    fileprivate func differences(
        _ ours: MachineState, _ theirs: MachineState, flags mask: UInt64
    ) -> [String] {
        var result: [String] = []
        func compare(_ name: @autoclosure () -> String, _ mine: UInt64, _ native: UInt64) {
            if mine != native { result.append("\(name()) \(hex(mine)), native \(hex(native))") }
        }
        for number in 0..<16 {
            compare(Self.registerNames[number], ours.registers[number], theirs.registers[number])
        }
        compare("rip", ours.rip, theirs.rip)
        compare("rflags", ours.flags & mask, theirs.flags & mask)
        for word in 0..<52 {
            let compared = Self.areaMask(word)
            compare("fx[\(word)]", ours.area[word] & compared, theirs.area[word] & compared)
        }
        return result
    }

    /// Without reserved bits of FXSAVE's area.
    private static func areaMask(_ word: Int) -> UInt64 {
        switch word {
        case 0: 0xffff_00ff_ffff_ffff
        // As many bits of an address as the processor has; the rest repeats the highest.
        case 1, 2: 0xffff_ffff_ffff
        case 3: 0xffff_ffff
        case 5, 7, 9, 11, 13, 15, 17, 19: 0xffff
        default: .max
        }
    }

    private static let registerNames = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
        "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    ]

    /// The bytes and the text of the instruction.
    fileprivate var text: String {
        let bytes = bytes.map { hex(UInt64($0), digits: 2) }.joined(separator: " ")
        return "\(bytes): \(FuzzDecoder.text(self.bytes, at: state.rip))"
    }

    /// All that the instruction works on, in one line.
    fileprivate var inputs: String {
        var result = (0..<16).map { "\(Self.registerNames[$0])=\(hex(state.registers[$0]))" }
        result.append("rip=\(hex(state.rip)) rflags=\(hex(state.flags))")
        result.append("mxcsr=\(hex(state.area[3] & 0xffff_ffff)) x87=\(hex(state.area[0]))")
        for register in 0..<16 {
            let (low, high) = (state.area[20 + 2 * register], state.area[21 + 2 * register])
            result.append("xmm\(register)=\(hex(high, digits: 16))\(hex(low, digits: 16))")
        }
        for patch in patches {
            let bytes = patch.bytes.map { hex(UInt64($0), digits: 2) }.joined()
            result.append("[\(hex(patch.address))]=\(bytes)")
        }
        return result.joined(separator: " ")
    }
}
