import CKVM
import SystemPackage

@testable import VCPUControl

/// A host that is not this one: its files, and its devices.
struct FakeHost: HostFiles {
    var files: [String: String]
    /// Paths that cannot be read.
    var denied: Set<String> = []
    /// Devices that cannot be opened; the others are the twin's.
    var failures: [String: Errno] = [:]
    var devices = KVMTwin.Host(hasTypedVMs: false, hasSEVES: false, hasFirmware: false)
    var stopWays = Result<StopWays, KVMError>.success(StopWays())

    func read(_ path: String) throws(Errno) -> String {
        if denied.contains(path) { throw .permissionDenied }
        guard let text = files[path] else { throw .noSuchFileOrDirectory }
        return text
    }

    var doctor: Doctor { Doctor(self, FakeDevices(failures, KVMTwin(devices))) { stopWays } }
    var report: DoctorReport { doctor.examine() }
}

extension FakeHost {
    static let parameters = "/sys/module/kvm_amd/parameters/"
    static let tracepoint = "/sys/kernel/tracing/events/kvm/kvm_vmgexit_enter/format"

    private static func cpu(_ vendor: String, _ flags: String) -> String {
        "processor\t: 0\nvendor_id\t: \(vendor)\nflags\t\t: fpu vme \(flags)\n"
    }

    /// What all have: a user without capabilities, and the usual limit.
    private static func user(_ cpu: String, memlock: String = "8388608") -> [String: String] {
        [
            "/proc/cpuinfo": cpu,
            "/proc/self/status": "Name:\tsevdbg\nCapEff:\t0000000000000000\n",
            "/proc/self/limits":
                "Limit                     Soft Limit           Hard Limit           Units\n"
                + "Max locked memory         \(memlock)              8388608              bytes\n",
            "/sys/kernel/btf/vmlinux": "BTF", "/proc/sys/kernel/yama/ptrace_scope": "1\n",
        ]
    }

    /// A laptop with an AMD processor and KVM.
    static let laptop = FakeHost(
        files: user(cpu("AuthenticAMD", "svm")).merging(
            [parameters + "sev": "N\n", parameters + "sev_es": "N\n"]) { $1 },
        denied: [tracepoint])

    /// The same, and a user outside the group.
    static var noGroup: FakeHost {
        var host = laptop
        host.failures[SystemFD.path] = .permissionDenied
        return host
    }

    static let intel = FakeHost(files: user(cpu("GenuineIntel", "vmx")), denied: [tracepoint])

    /// A container on it.
    static let container = FakeHost(
        files: user(cpu("GenuineIntel", "vmx")).merging(["/sys/kernel/btf/vmlinux": ""]) { $1 },
        failures: [SystemFD.path: .noSuchFileOrDirectory])

    private static let milan = cpu("AuthenticAMD", "svm sev sev_es debug_swap")

    static let epyc = FakeHost(
        files: user(milan, memlock: "unlimited").merging([
            parameters + "sev": "Y\n", parameters + "sev_es": "Y\n", tracepoint: "name: x\n",
            "/proc/sys/kernel/yama/ptrace_scope": "0\n",
        ]) { $1 }, devices: .init(features: .debugSwap))

    /// The same with kvm_amd.sev_es=0.
    static let epycOff = FakeHost(
        files: user(milan).merging(
            [parameters + "sev": "Y\n", parameters + "sev_es": "N\n"]) { $1 },
        denied: [tracepoint], devices: .init(hasTypedVMs: true, hasSEVES: false))
}

/// The devices of a host: those of a twin, but for some that do not open.
final class FakeDevices: KVMSyscalls {
    private let failures: [String: Errno]
    private let twin: KVMTwin
    private(set) var open: Set<Int32> = []

    init(_ failures: [String: Errno], _ twin: KVMTwin) {
        (self.failures, self.twin) = (failures, twin)
    }

    func open(_ path: String) throws(Errno) -> Int32 {
        if let failure = failures[path] { throw failure }
        return try twin.open(path)
    }

    func close(_ descriptor: Int32) { twin.close(descriptor) }

    func ioctl(_ descriptor: Int32, _ call: ckvm_call) throws(Errno) -> Int32 {
        unsafe try twin.ioctl(descriptor, call)
    }

    func map(_ descriptor: Int32, count: Int) throws(Errno) -> UnsafeMutableRawPointer {
        unsafe try twin.map(descriptor, count: count)
    }

    func unmap(_ start: UnsafeMutableRawPointer, count: Int) {
        unsafe twin.unmap(start, count: count)
    }
}
