import CKVM
import Testing

@testable import VCPUControl

/// What attaching is made of, without a VMM.
@Suite("Attaching, without a VMM")
struct AttachTests {
    @Test("a line of maps, with and without a name")
    func mapping() {
        let named = ForeignMapping(
            "7f0000000000-7f0000003000 rw-s 00000000 00:0f 1037   anon_inode:kvm-vcpu:0")
        #expect(named?.range == 0x7f00_0000_0000..<0x7f00_0000_3000)
        #expect(named?.permissions == "rw-s")
        #expect(named?.name == "anon_inode:kvm-vcpu:0")
        #expect(ForeignMapping("1000-2000 r-xp 00000000 00:00 0 ")?.name == "")
        for line in ["", "1000-2000", "2000-1000 r-xp 0 0 0", "x-y r-xp 0 0 0", "1000 r-xp 0 0 0"] {
            #expect(ForeignMapping(line) == nil)
        }
    }

    @Test("the injected code fits its places, and starts with its name")
    func code() {
        #expect(InjectedCode.stub.count <= 4096)
        #expect(InjectedCode.cave(.init()).count == InjectedCode.caveSize)
        #expect(String(decoding: InjectedCode.stub.prefix(15), as: UTF8.self) == "sevdbg attach 4")
        // SYSCALL is where threads are sent to make one.
        let layout = InjectedCode.layout
        for place in [layout.call, layout.last_call, layout.steps, layout.run] {
            #expect(Array(InjectedCode.stub[place..<place + 2]) == [0x0f, 0x05])
        }
    }

    @Test("what Yama demands is said with its remedy", arguments: [1, 2, 3])
    func yama(scope: Int) throws {
        let text = try #require(YamaScope(scope).demand)
        #expect(text.contains("ptrace_scope \(scope)"))
        #expect(text.contains(scope == 3 ? "boot" : "sudo"))
    }

    @Test("Yama's scope 0 demands nothing")
    func noYama() { #expect(YamaScope(0).demand == nil) }

    @Test("there is no such process, and none with number 0 or less")
    func noProcess() {
        for number in [Int32.max, 0, -1] {
            #expect(throws: AttachError.noProcess(number)) {
                try ProcessInspector(process: number).inspect()
            }
        }
    }

    @Test("a process without a VM is told from a VMM")
    func noVM() {
        #expect {
            try ProcessInspector(process: 1).inspect()
        } throws: { error in
            switch error as? AttachError {
            case .noVM(1, _)?, .notPermitted(1, _)?: true
            default: false
            }
        }
    }
}
