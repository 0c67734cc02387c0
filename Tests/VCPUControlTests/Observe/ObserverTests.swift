import CBPF
import Foundation
import Testing

@testable import VCPUControl

/// Why BPF cannot be used here, if so: asked by loading the smaller program.
private let bpfObstacle: String? = {
    do throws(ObserveError) {
        _ = try BPFObject(.inspect, observe_constants())
        return nil
    } catch { return error.message }
}()

/// Both obstacles, for a comment that says why a test was skipped.
private let obstacle = ObservedProcess.obstacle ?? bpfObstacle

@Suite("Observers", .serialized)
struct ObserverTests {
    @Test(
        "an observer sees slots, threads, exits and ports of a VMM that notices nothing",
        .enabled(if: obstacle == nil, Comment(rawValue: obstacle ?? "")),
        .timeLimit(.minutes(1)))
    func observer() throws {
        let vmm = try ObservedProcess()
        let observer = try Observer(vmm.pid)
        let vm = try #require(observer.start.vms.first)
        #expect(observer.start.vms.count == 1 && observer.start.limit == nil)
        let slot = try #require(vm.slots.value?.first)
        #expect(slot.start == GuestPhysicalAddress(0) && slot.size == 2 << 20)
        #expect(vm.vcpus.map(\.id) == [0, 1])
        let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(vmm.pid)/task")
        for vcpu in vm.vcpus {
            #expect(tasks.contains(String(vcpu.thread.value ?? 0)))
            #expect((vcpu.exits.value ?? 0) > 0)
        }
        let places: Set = ["port 0x100 read", "port 0x100 write"]
        let found = try wait(observer) { vcpus in
            vcpus.count == 2
                && vcpus.allSatisfy { vcpu in
                    let io = vcpu.activity.userspace.first { $0.reason.name == "KVM_EXIT_IO" }
                    return io?.meanNanoseconds != nil
                        && places.isSubset(of: vcpu.activity.places.map(\.text))
                }
        }
        #expect(found.map(\.vcpu) == [0, 1])
        #expect(vmm.end().contains("irregular 0 unasked 0"))
        while !observer.isOver { _ = observer.next(milliseconds: 50) }
    }

    /// Lets the VMM run until what it did is enough; the test's time limit bounds it.
    private func wait(
        _ observer: Observer, until isEnough: ([ObservedActivity]) -> Bool
    ) throws -> [ObservedActivity] {
        while true {
            _ = observer.next(milliseconds: 20)
            guard case .activity(_, _, let vcpus) = observer.activity() else { continue }
            if isEnough(vcpus) { return vcpus }
            try #require(!observer.isOver)
        }
    }

    @Test(
        "without a tracer the programs that stop at exits leave the VMM alone",
        .enabled(if: obstacle == nil, Comment(rawValue: obstacle ?? "")),
        .timeLimit(.minutes(1)))
    func untraced() throws {
        let vmm = try ObservedProcess()
        let observer = try Observer(vmm.pid)
        let vm = try #require(observer.start.vms.first)
        let traps = try ExitTraps(process: try #require(vm.process), signal: SIGUSR2)
        let all = try ExitFilter.parse("port=0x100,MSR")
        try traps.set(all.accessFilters + all.kernelFilters)
        let before = vm.vcpus.map { $0.exits.value ?? 0 }
        // SIGUSR2 would end it.
        while zip(try observer.vms()[0].vcpus, before).contains(where: {
            ($0.exits.value ?? 0) < $1 + 1000
        }) {
            try #require(!observer.isOver)
            _ = observer.next(milliseconds: 10)
        }
        for vcpu in vm.vcpus {
            #expect(traps.take(of: try #require(vcpu.thread.value)).isEmpty)
        }
        #expect(vmm.end().contains("irregular 0 unasked 0"))
    }

    @Test(
        "own VMGEXITs are traced, and a signal comes behind the answer",
        .enabled(if: bpfObstacle == nil, Comment(rawValue: bpfObstacle ?? "")))
    func tracing() throws {
        let tracing = try KernelTracing(ghcbVersion: 2, cBit: 51)
        let signals = try PendingSignal(SIGURG)
        try tracing.test("request_msr", arguments: [3, 0x80])
        try tracing.test("stop_answered_msr", arguments: [3, 0x80])
        #expect(signals.take())
        #expect(tracing.takeExchanges(isOver: false).isEmpty && !signals.take())
        try tracing.test("answer_msr", arguments: [3, 0x3081])
        let exchange = try #require(tracing.takeExchanges(isOver: false).first)
        #expect(exchange.vcpu == 3 && exchange.name == "HV_FT_REQ" && exchange.outcome == .ok)
        // A request that KVM ends the VM for, without an answer.
        try tracing.test("request_msr", arguments: [3, 0x10])
        #expect(tracing.takeExchanges(isOver: false).isEmpty)
        let last = try #require(tracing.takeExchanges(isOver: true).first)
        guard case .terminated = last.outcome else {
            Issue.record("not the end: \(last.outcome)")
            return
        }
    }

    @Test(
        "a VMGEXIT's page comes through the tracepoints' programs and the ring buffer whole",
        .enabled(if: bpfObstacle == nil, Comment(rawValue: bpfObstacle ?? "")))
    func page() throws {
        // No guest of this machine makes VMGEXITs: a page of the kernel's code stands for the GHCB,
        // and for the registers that KVM has ready.
        guard let address = try Self.kernelCode() else {
            try Test.cancel("/proc/kallsyms hides addresses here")
        }
        let constants = observe_constants(
            tgid: UInt32(getpid()), is_svm: 0, thread_mask: 63, signal: 0)
        let object = try BPFObject(.observe, constants, threads: 64)
        var ring = try object.ring()
        // The first record makes the program find counters for this thread.
        try object.test("request_msr", arguments: [2, 0x80])
        try object.test("answer_msr", arguments: [2, 0x3081])
        let place = (0..<64).first { object.counters(at: $0)?.starts(with: [0, 0, 0, 0]) == false }
        let index = try #require(place)
        guard var counters = object.counters(at: index) else {
            Issue.record("there are no counters at \(index)")
            return
        }
        counters.replaceSubrange(40..<48, with: address.littleEndianBytes(8))
        counters.replaceSubrange(48..<56, with: UInt64(0x7000).littleEndianBytes(8))
        try object.setCounters(counters, at: index)
        try object.test("request_page", arguments: [2, address])
        try object.test("answer_page", arguments: [2, address])

        var joiner = ExchangeJoiner(ghcbVersion: 2, cBit: 51)
        var exchanges: [Exchange] = []
        while let bytes = ring.next() {
            exchanges += joiner.take(try #require(TracepointRecord.decode(bytes)))
        }
        #expect(exchanges.count == 2 && joiner.unjoined == 0)
        let exchange = try #require(exchanges.last)
        #expect(exchange.vcpu == 2 && exchange.msr == 0x7000)
        let page = try #require(exchange.requestPage)
        #expect(Set(page.bytes).count > 16)
        // What the answer has besides is what the joiner adds to it.
        var answer = try #require(exchange.responsePage)
        for field in [GHCBField.rax, .rbx, .rcx, .rdx] {
            #expect(answer.isValid(field))
            answer.setRaw(field, to: page.raw(field))
            if !page.isValid(field) { answer.invalidate(field) }
        }
        #expect(answer == page)
        #expect(exchanges.first?.content == .msr(response: 0x3081))
        #expect(exchanges.first?.name == "HV_FT_REQ")
    }

    /// Where the kernel's code starts; `nil` where that is kept secret.
    private static func kernelCode() throws -> UInt64? {
        let symbols = try String(contentsOfFile: "/proc/kallsyms", encoding: .utf8)
        let line = symbols.split(separator: "\n").first { $0.hasSuffix(" T _text") }
        let address = line.flatMap { UInt64($0.prefix(16), radix: 16) }
        return address == 0 ? nil : address
    }

    @Test(
        "without BPF the exits are samples, and the head says what is missing",
        .enabled(
            if: ObservedProcess.obstacle == nil, Comment(rawValue: ObservedProcess.obstacle ?? "")),
        .timeLimit(.minutes(1)))
    func samples() throws {
        let vmm = try ObservedProcess()
        let sampler = try RunSampler(vmm.pid, because: "BPF needs root")
        #expect(sampler.start.limit?.hasPrefix("BPF needs root; so kvm_run is sampled") == true)
        let vm = try #require(sampler.start.vms.first)
        #expect(vm.slots == .hidden(.needsBPF) && vm.vcpus.map(\.id) == [0, 1])
        var names: Set<String> = []
        while !names.isSuperset(of: ["KVM_RUN", "KVM_EXIT_IO", "KVM_EXIT_MMIO"]) {
            _ = sampler.next(milliseconds: 1)
            guard case .samples(_, let vcpus) = sampler.activity() else { continue }
            names = Set(vcpus.flatMap(\.reasons).map(\.reason.name))
        }
        #expect(vmm.end().contains("irregular 0 unasked 0"))
        while !sampler.isOver { _ = sampler.next(milliseconds: 1) }
    }

    @Test("a process that is none, or no VMM, is an error in words")
    func errors() throws {
        // Not this process: other tests run VMs in it meanwhile.
        let other = Process()
        other.executableURL = URL(filePath: "/bin/sleep")
        other.arguments = ["60"]
        try other.run()
        defer { other.terminate() }
        #expect(throws: ObserveError.process(.noProcess(.max))) { try Observer(.max) }
        #expect(throws: ObserveError.process(.noProcess(0))) { try Observer(0) }
        #expect(throws: ObserveError.process(.noProcess(-1))) { try RunSampler(-1, because: "") }
        do throws(ObserveError) {
            _ = try Observer(other.processIdentifier)
            Issue.record("a process that sleeps has no VM open")
        } catch {
            guard case .process(.noVM(other.processIdentifier, _)) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(error.message.contains("runs no KVM VM"))
        }
    }
}
