import CNativeOracle
import Testing

@Suite("The native oracle", .serialized)
struct NativeCPUTests {
    let start = FuzzLayout.code.lowerBound + 0x800

    /// Executes bytes with RAX, RCX and RBX set.
    private func run(
        _ bytes: [UInt8], _ cpu: borrowing NativeCPU, rax: UInt64 = 0, rcx: UInt64 = 0,
        rbx: UInt64 = 0, branches: Bool = false
    ) -> (MachineState, MachineFault?) {
        var state = MachineState()
        (state.registers[0], state.registers[1], state.registers[3]) = (rax, rcx, rbx)
        (state.registers[4], state.rip) = (FuzzLayout.data.lowerBound + 0x800, start)
        state.area[0] = 0x37f
        state.area[3] = 0x1f80
        cpu.setCode(bytes + (branches ? [] : NativeCPU.exit), at: start)
        let fault = cpu.execute(&state, length: bytes.count, fallsThrough: !branches)
        cpu.setCode([UInt8](repeating: FuzzLayout.filling, count: 24), at: start)
        return (state, fault)
    }

    @Test("registers, flags, branches, memory and faults are those of the processor")
    func known() {
        guard let cpu = NativeCPU() else {
            Issue.record("the oracle's pages cannot be mapped")
            return
        }
        // add rax, rcx
        var (state, fault) = run([0x48, 0x01, 0xc8], cpu, rax: .max, rcx: 1)
        #expect(fault == nil)
        #expect((state.registers[0], state.rip) == (0, start + 3))
        #expect(state.flags & 0x8d5 == 0x55)
        // jz +0x10: not taken, then with no INT3 behind
        (state, fault) = run([0x74, 0x10], cpu, branches: true)
        #expect((fault, state.rip) == (nil, start + 2))
        // jmp rax, to nowhere
        (state, fault) = run([0xff, 0xe0], cpu, rax: 0x3000_0000, branches: true)
        #expect((fault, state.rip) == (nil, 0x3000_0000))
        // mov [rbx], rax: in the read-only page, in the hole, not canonical
        let store: [UInt8] = [0x48, 0x89, 0x03]
        (state, fault) = run(store, cpu, rbx: FuzzLayout.readOnly.lowerBound + 8)
        #expect(
            fault
                == MachineFault(
                    vector: 14, errorCode: 7, address: FuzzLayout.readOnly.lowerBound + 8))
        #expect(state.rip == start)
        (state, fault) = run(store, cpu, rbx: FuzzLayout.hole.lowerBound)
        #expect(
            fault == MachineFault(vector: 14, errorCode: 6, address: FuzzLayout.hole.lowerBound))
        (state, fault) = run(store, cpu, rbx: 1 << 63)
        #expect(fault?.vector == 13)
        (state, fault) = run(store, cpu, rax: 0x1234, rbx: FuzzLayout.data.lowerBound)
        let stored = unsafe cpu.memory.loadUnaligned(as: UInt64.self)
        #expect((fault, stored) == (nil, 0x1234))
        // div cl by zero; ud2; hlt
        #expect(run([0xf6, 0xf1], cpu).1?.vector == 0)
        #expect(run([0x0f, 0x0b], cpu).1?.vector == 6)
        #expect(run([0xf4], cpu).1?.vector == 13)
        // pcmpeqd xmm3, xmm3
        (state, fault) = run([0x66, 0x0f, 0x76, 0xdb], cpu)
        #expect(state.area[26] & state.area[27] == .max)
    }
}

extension NativeCPU {
    /// The bytes that end a run behind an instruction that does not branch.
    static let exit: [UInt8] = {
        var bytes = [UInt8](repeating: 0, count: Int(ORACLE_EXIT_SIZE))
        unsafe oracle_exit_code(&bytes)
        return bytes
    }()
}
