import CNativeOracle

/// The host's processor, one instruction at a time.
///
/// Unsafe: the oracle's pages are C memory that lives as long as the process.
@safe struct NativeCPU: ~Copyable {
    private let code: UnsafeMutablePointer<UInt8>
    private let data: UnsafeMutablePointer<UInt8>

    /// `nil` where the host cannot execute the instructions.
    init?() {
        guard oracle_open() else { return nil }
        unsafe code = oracle_code()
        unsafe data = oracle_data()
    }

    deinit { oracle_close() }

    /// The pages of data, the hole included.
    var memory: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: data, count: FuzzLayout.data.count)
    }

    /// Puts bytes into the code pages; those past their end are dropped.
    func setCode(_ bytes: some Sequence<UInt8>, at address: UInt64) {
        for (offset, byte) in bytes.enumerated() {
            let position = address &+ UInt64(offset)
            guard FuzzLayout.code.contains(position) else { continue }
            unsafe code[Int(position - FuzzLayout.code.lowerBound)] = byte
        }
    }

    /// Executes the instruction at RIP.
    func execute(_ state: inout MachineState, length: Int, fallsThrough: Bool) -> MachineFault? {
        var native = oracle_state()
        for number in 0..<16 { native.setRegister(number, state.registers[number]) }
        native.rip = state.rip
        native.rflags = state.flags
        native.setArea(state.area)
        let fault = unsafe oracle_run(&native, UInt32(length), fallsThrough)
        for number in 0..<16 { state.registers[number] = native.register(number) }
        state.rip = native.rip
        state.flags = native.rflags
        state.area = native.area
        guard fault.vector >= 0 else { return nil }
        return MachineFault(
            vector: Int(fault.vector), errorCode: fault.error_code, address: fault.cr2)
    }
}

/// C arrays are tuples here; their elements lie one behind the other.
extension oracle_state {
    fileprivate mutating func setRegister(_ number: Int, _ value: UInt64) {
        unsafe withUnsafeMutableBytes(of: &gpr) { bytes in
            unsafe bytes.storeBytes(of: value, toByteOffset: 8 * number, as: UInt64.self)
        }
    }

    fileprivate func register(_ number: Int) -> UInt64 {
        unsafe withUnsafeBytes(of: gpr) { bytes in
            unsafe bytes.load(fromByteOffset: 8 * number, as: UInt64.self)
        }
    }

    fileprivate mutating func setArea(_ area: InlineArray<52, UInt64>) {
        unsafe withUnsafeMutableBytes(of: &fx) { bytes in
            for word in 0..<52 {
                unsafe bytes.storeBytes(of: area[word], toByteOffset: 8 * word, as: UInt64.self)
            }
        }
    }

    fileprivate var area: InlineArray<52, UInt64> {
        var result = InlineArray<52, UInt64>(repeating: 0)
        unsafe withUnsafeBytes(of: fx) { bytes in
            for word in 0..<52 {
                result[word] = unsafe bytes.load(fromByteOffset: 8 * word, as: UInt64.self)
            }
        }
        return result
    }
}
