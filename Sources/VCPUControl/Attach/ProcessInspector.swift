internal import Glibc
internal import SystemPackage

/// What /proc says of a process, before anything is done to it.
struct ProcessInspector {
    let process: Int32

    /// Looks whether the process is a VMM that can be attached to.
    ///
    /// - Throws: why it cannot, and what would help.
    func inspect() throws(AttachError) -> ForeignProcess {
        guard process > 0, let status = fields("status") else { throw .noProcess(process) }
        try requirePermission(status)
        var found = try list(status)
        found.mappings = mappings
        guard !found.vcpus.isEmpty else { throw .noVM(process, name: found.name) }
        try requireTraceable(status, found.name)
        for index in found.vcpus.indices { locate(&found.vcpus[index], in: found.mappings) }
        return found
    }

    /// What its descriptors say of a process with a VM; its mappings are not looked at.
    func list() throws(AttachError) -> ForeignProcess {
        guard process > 0, let status = fields("status") else { throw .noProcess(process) }
        return try list(status)
    }

    private func list(_ status: [String: String]) throws(AttachError) -> ForeignProcess {
        var found = ForeignProcess(number: process, name: status["Name"] ?? "?")
        for (number, target) in try descriptors(status) {
            switch KVMFile(target) {
            case .vm: found.vms.append(number)
            case .vcpu(let id): found.vcpus.append(ForeignVCPU(number: id, descriptor: number))
            case nil: continue
            }
        }
        found.vms.sort()
        found.vcpus.sort { ($0.number, $0.descriptor) < ($1.number, $1.descriptor) }
        guard !found.vms.isEmpty || !found.vcpus.isEmpty else {
            throw .noVM(process, name: found.name)
        }
        return found
    }

    private func requireTraceable(
        _ status: [String: String], _ name: String
    ) throws(AttachError) {
        if is32Bit { throw .is32Bit(process, name: name) }
        for thread in threads {
            guard let fields = fields("task/\(thread)/status") else { continue }
            if fields["Seccomp"] ?? "0" != "0" { throw .seccomp(process, name: name) }
            if let tracer = fields["TracerPid"].flatMap({ Int32($0) }), tracer != 0 {
                throw .traced(process, name: name, by: tracer)
            }
        }
    }

    /// The threads of the process, in order.
    var threads: [Int32] { directory("task").compactMap { Int32($0) }.sorted() }

    /// Those without the kernel's that share the process (PF_IO_WORKER 0x10, PF_USER_WORKER 0x4000): they
    /// never stop for a tracer.
    var ownThreads: [Int32] {
        threads.filter { thread in flags(of: thread).map { $0 & 0x4010 == 0 } ?? false }
    }

    /// Threads that may be about to run a vCPU: in `KVM_RUN`, on a processor, or stopped outside a
    /// system call (-1).
    func candidates(_ vcpus: [ForeignVCPU]) -> [Int32] {
        ownThreads.filter { thread in
            let call = systemCall(of: thread)
            return call.first == "running" || call.first == "-1" || isRun(call, of: vcpus)
        }
    }

    /// Threads that are in the `KVM_RUN` of a vCPU.
    func runners(of vcpus: [ForeignVCPU]) -> [Int32] {
        threads.filter { isRun(systemCall(of: $0), of: vcpus) }
    }

    private func isRun(_ call: [Substring], of vcpus: [ForeignVCPU]) -> Bool {
        guard call.count > 2, call[0] == "16", call[2] == "0xae80" else { return false }
        let descriptor = Int32(call[1].dropFirst(2), radix: 16)
        return vcpus.contains { $0.descriptor == descriptor }
    }

    /// Its number and its arguments, in hexadecimal but for the number.
    private func systemCall(of thread: Int32) -> [Substring] {
        (text("task/\(thread)/syscall") ?? "").split { $0 == " " || $0 == "\n" }
    }

    /// Whether any of its threads runs, or waits for a processor.
    var isRunning: Bool { threads.contains { status(of: $0).first == "R" } }

    /// The fields of stat behind the name: the state is the first.
    private func status(of thread: Int32) -> [Substring] {
        let text = text("task/\(thread)/stat") ?? ""
        return text.lastIndex(of: ")").map { text[$0...].split(separator: " ").dropFirst() }
            .map(Array.init) ?? []
    }

    /// PF_… of linux/sched.h.
    private func flags(of thread: Int32) -> UInt64? {
        let fields = status(of: thread)
        return fields.count > 6 ? UInt64(fields[6]) : nil
    }

    /// Signals that do nothing to the process: ignored, or without a handler and harmless.
    var ignoredSignals: UInt64 {
        let status = fields("status") ?? [:]
        func set(_ name: String) -> UInt64 { UInt64(status[name] ?? "0", radix: 16) ?? 0 }
        let harmless = [SIGCHLD, SIGURG, SIGWINCH, SIGCONT].reduce(UInt64(0)) {
            $0 | 1 << UInt64($1 - 1)
        }
        return set("SigIgn") | harmless & ~set("SigCgt")
    }

    /// Signals that wait for a thread, its own and those of the process.
    func pendingSignals(of thread: Int32) -> UInt64 {
        let status = fields("task/\(thread)/status") ?? [:]
        return ["SigPnd", "ShdPnd"].reduce(0) {
            $0 | (UInt64(status[$1] ?? "0", radix: 16) ?? 0)
        }
    }

    /// Finds where the VMM has mapped the `kvm_run` of a vCPU.
    private func locate(_ vcpu: inout ForeignVCPU, in mappings: [ForeignMapping]) {
        let places = mappings.filter { KVMFile($0.name) == .vcpu(vcpu.number) }
        // VMs in the same process have vCPUs with the same names.
        let run = places.count < 2 ? places.first : runPlace(of: vcpu.descriptor, among: places)
        guard let run else { return }
        (vcpu.run, vcpu.runSize) = (run.range.lowerBound, UInt64(run.range.count))
    }

    var mappings: [ForeignMapping] {
        (text("maps") ?? "").split(separator: "\n").compactMap { ForeignMapping($0) }
    }

    /// The class of its ELF file: 1 is 32-bit.
    private var is32Bit: Bool {
        let head = bytes("exe", limit: 5) ?? []
        return head.count == 5 && head[4] == 1
    }
}

// Permission.
extension ProcessInspector {
    private func descriptors(
        _ status: [String: String]
    ) throws(AttachError) -> [(number: Int32, target: String)] {
        guard isReadable("fd") else {
            throw .notPermitted(process, denial(status))
        }
        return directory("fd").compactMap { name in
            guard let number = Int32(name), let target = link("fd/\(name)") else { return nil }
            return (number, target)
        }
    }

    /// PTRACE_MODE_ATTACH, as far as it can be known beforehand; ptrace itself has the last word.
    private func requirePermission(_ status: [String: String]) throws(AttachError) {
        guard geteuid() != 0, let owner = status["Uid"]?.split(separator: "\t").first else {
            return
        }
        if UInt32(owner) != geteuid() { throw .notPermitted(process, denial(status)) }
        // Without PTRACE_MODE_ATTACH, /proc hides where a thread stands.
        guard isReadable("fd"), text("syscall") != nil else {
            throw .notPermitted(process, denial(status))
        }
    }

    /// What is missing to trace the process, and how to get it.
    var denial: String { denial(fields("status") ?? [:]) }

    private func denial(_ status: [String: String]) -> String {
        let owner = status["Uid"]?.split(separator: "\t").first.map(String.init) ?? "?"
        let remedy =
            "use `sudo sevdbg attach \(process)`, or give sevdbg the capability with"
            + " `sudo setcap cap_sys_ptrace+ep`"
        if UInt32(owner) != geteuid() {
            return "it belongs to user \(owner), and sevdbg runs as \(geteuid()): \(remedy)"
        }
        return yama?.demand
            ?? "it is not dumpable (its program changed identity, or has capabilities): \(remedy)"
    }

    /// `nil` where this kernel has no Yama.
    private var yama: YamaScope? {
        contents(YamaScope.path, limit: 16)
            .flatMap { YamaScope(String(decoding: $0, as: UTF8.self)) }
    }
}

// Files of /proc.
//
// Unsafe: readdir and readlink fill buffers of C, which are copied at once.
extension ProcessInspector {
    private func path(_ name: String) -> String { "/proc/\(process)/\(name)" }

    private func isReadable(_ name: String) -> Bool { unsafe access(path(name), R_OK) == 0 }

    private func text(_ name: String) -> String? {
        bytes(name, limit: 16 << 20).map { String(decoding: $0, as: UTF8.self) }
    }

    /// `Name:\tvalue` by name.
    private func fields(_ name: String) -> [String: String]? {
        guard let text = text(name) else { return nil }
        var fields: [String: String] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...]
            fields[String(line[..<colon])] = String(value.drop { $0 == "\t" || $0 == " " })
        }
        return fields
    }

    private func bytes(_ name: String, limit: Int) -> [UInt8]? {
        contents(path(name), limit: limit)
    }

    private func contents(_ path: String, limit: Int) -> [UInt8]? {
        guard let file = try? FileDescriptor.open(FilePath(path), .readOnly) else { return nil }
        defer { try? file.close() }
        var all: [UInt8] = []
        while all.count < limit {
            let part = try? unsafe [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
                count = try unsafe file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            guard let part else { return nil }
            if part.isEmpty { break }
            all += part
        }
        return Array(all.prefix(limit))
    }

    private func directory(_ name: String) -> [String] {
        guard let stream = unsafe opendir(path(name)) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: entry.pointee.d_name) { field in
                unsafe field.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names
    }

    private func link(_ name: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            guard let start = bytes.baseAddress else { return 0 }
            return unsafe readlink(
                path(name), start.assumingMemoryBound(to: CChar.self), bytes.count)
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
}
