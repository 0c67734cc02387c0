import Testing

@testable import VCPUControl

@Suite("What a screen asks to see")
struct SnapshotTests {
    private func session(_ prepare: (ScriptedMachine) -> Void = { _ in }) throws -> Session {
        try ScriptedSession(prepare).session
    }

    private func memory(
        _ expression: String, start: UInt64? = nil, size: Int = 16, rows: Int = 8,
        of session: Session
    ) throws -> Snapshot.Memory {
        let request = MemoryRequest(
            expression, start: start.map { .init($0) }, bytesPerRow: size, rows: rows)
        let snapshot = session.snapshot(SnapshotRequest(memory: request))
        #expect(snapshot.request.memory == request)
        return try #require(snapshot.memory)
    }

    @Test("nothing is looked at that was not asked for")
    func nothing() throws {
        #expect(try session().snapshot().memory == nil)
    }

    @Test("memory is read row by row, each with the use of its page")
    func rows() throws {
        let session = try session { machine in
            machine.privatePages = [0x1000]
            machine.unmapped = [0x2000]
            machine.ram[0x1ff8] = 7
        }
        let memory = try memory("0x1ff0", size: 8, rows: 3, of: session)
        #expect(memory.target == .success(.init(0x1ff0)))
        #expect(memory.rows.map(\.address.rawValue) == [0x1ff0, 0x1ff8, 0x2000])
        #expect(memory.rows[1].bytes == .known([7, 0, 0, 0, 0, 0, 0, 0], from: .direct))
        #expect(memory.rows.map(\.use) == [.private, .private, .unmapped])
        #expect(memory.rows[2].bytes == .hidden(.unmapped))
        let shared = try self.memory("0x3000", of: session)
        #expect(shared.rows[0].use == .shared)
    }

    @Test("what an expression cannot tell is a failure, and a fixed start is shown all the same")
    func hidden() throws {
        let session = try session { $0.traits.seesProtectedState = false }
        let nowhere = try memory("$rsp", of: session)
        #expect(nowhere.rows.isEmpty)
        guard case .failure(let failure) = nowhere.target else {
            Issue.record("$rsp is hidden")
            return
        }
        #expect(failure.message.contains("SEV-ES protects it"))
        #expect(try memory("$rsp", start: 0x3008, of: session).rows.first?.address == .init(0x3000))
        // The machine reads it although the page tables are protected: the guest shares it.
        #expect(try memory("0x3000", of: session).rows[0].use == .shared)
        #expect(try memory("0x40000000", of: session).rows[0].use == .unmapped)
        #expect(try memory("nosuch", of: session).target != nowhere.target)
        #expect(try memory("1 2", of: session).rows.isEmpty)
    }

    @Test("a window over a register stays while that moves within it, and always shows it")
    func follows() throws {
        var starts: Set<UInt64> = []
        for offset in stride(from: UInt64(0), to: 0x400, by: 8) {
            let request = MemoryRequest("$rsp", bytesPerRow: 16, rows: 8)
            let target = GuestVirtualAddress(0x18_0000 - offset)
            let start = request.start(at: target, isConstant: false)
            #expect((start.rawValue..<start.rawValue + 64).contains(target.rawValue))
            starts.insert(start.rawValue)
        }
        #expect(starts.count == 17)
        let one = MemoryRequest("$rsp", bytesPerRow: 8, rows: 1)
        #expect(one.start(at: .init(0x100f), isConstant: false) == .init(0x1008))
    }

    @Test("a constant is in the first row")
    func constant() throws {
        #expect(try memory("helper + 0x24", of: session()).rows[0].address == .init(0x10_0120))
    }

    @Test("code on both sides of an address has no gap, and starts an instruction there")
    func code() throws {
        let session = try session { machine in
            for index in 0..<0x2000 {
                // Anything, with bytes among it that start no instruction.
                machine.ram[0xff000 + index] = UInt8(truncatingIfNeeded: index &* index &* 31 >> 3)
            }
        }
        for address in stride(from: UInt64(0xff800), to: 0x10_0800, by: 37) {
            let request = SnapshotRequest(code: .init(address))
            let lines = try #require(session.snapshot(request).code.value)
            for (line, next) in zip(lines, lines.dropFirst()) {
                #expect(line.address.rawValue + UInt64(line.bytes.count) == next.address.rawValue)
            }
            let index = try #require(lines.firstIndex { $0.address == .init(address) })
            #expect(index == 80 && lines.count == 160)
        }
    }

    @Test("code goes as far as memory is mapped")
    func border() throws {
        let session = try session { $0.unmapped = [0xff000, 0x10_1000] }
        let request = SnapshotRequest(code: .init(0x10_0ffc))
        let lines = try #require(session.snapshot(request).code.value)
        #expect(lines.last?.address == .init(0x10_0ffe))
        let first = session.snapshot(SnapshotRequest(code: .init(0x10_0000))).code.value?.first
        #expect(first?.address == .init(0x10_0000))
        let none = session.snapshot(SnapshotRequest(code: .init(0xff800)))
        #expect(none.code == .hidden(.unmapped))
    }

    @Test("locate evaluates as x does")
    func locate() throws {
        let session = try session()
        #expect(session.locate("$rsp + 8") == .success(.init(0x18_0008)))
        #expect(session.locate("*helper") == .success(.init(0x10_0100)))
        #expect(throws: CommandFailure.self) { try session.locate("nosuch").get() }
        #expect(throws: CommandFailure.self) { try session.locate("").get() }
        #expect(throws: CommandFailure.self) {
            try session.locate(String(repeating: "(", count: 9999)).get()
        }
    }
}
