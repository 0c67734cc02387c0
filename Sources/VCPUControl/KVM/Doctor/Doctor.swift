internal import CKVM
internal import SystemPackage

/// Finds out what a host can do.
///
/// It opens devices, makes no VMs but those that try a launch and stops, and changes nothing.
package struct Doctor {
    let files: any HostFiles
    let syscalls: any KVMSyscalls
    /// Asked only where there is a KVM.
    private let stopWays: () -> Result<StopWays, KVMError>

    init(
        _ files: any HostFiles, _ syscalls: any KVMSyscalls,
        stopWays: @escaping () -> Result<StopWays, KVMError>
    ) {
        (self.files, self.syscalls, self.stopWays) = (files, syscalls, stopWays)
    }

    /// The doctor of this host.
    package init() {
        self.init(LinuxFiles(), LinuxSyscalls()) { StopWays.ofThisHost }
    }

    package func examine() -> DoctorReport {
        let launching = [modules, vmTypes, firmware, platform, debugSwap].compactMap { $0 }
        return DoctorReport(
            checks: [processor, kvmDevice] + kvmChecks + [stops].compactMap { $0 } + launching
                + [memoryLock, tracepoints, typeInformation, tracing],
            machines: [
                .init(name: "emulator"),
                .init(name: "kvm", obstacle: kvmObstacle?.summary),
                .init(name: "sev-es", obstacle: launchObstacle?.summary),
            ], choice: select())
    }

    /// The machine for `--machine auto`: the hardware where it can launch a guest, else the emulator.
    ///
    /// A plain KVM vCPU is never it: it is SEV-ES no more than the emulator is, and slower.
    package func select() -> MachineSelection {
        do throws(Errno) {
            syscalls.close(try syscalls.open(SEVDevice.path))
        } catch {
            guard error == .noSuchFileOrDirectory else {
                return MachineSelection(
                    name: "emulator",
                    reason: KVMError.failed(call: "open", on: SEVDevice.path, error).message,
                    isRemarkable: true)
            }
            return MachineSelection(
                name: "emulator", reason: "there is no \(SEVDevice.path) here",
                isRemarkable: false)
        }
        guard let obstacle = launchObstacle else {
            return MachineSelection(
                name: "sev-es", reason: "a guest could be launched here", isRemarkable: true)
        }
        return MachineSelection(name: "emulator", reason: obstacle.message, isRemarkable: true)
    }
}

// What stands in the way of a machine.
extension Doctor {
    private var kvmObstacle: KVMError? {
        do throws(KVMError) {
            try KVMMachine.check(try SystemFD(syscalls))
            try KVMMachine.check(try stopWays().get())
            return nil
        } catch { return error }
    }

    /// Launches a guest of one page, which never runs.
    private var launchObstacle: KVMError? {
        do throws(KVMError) {
            let plan = LaunchPlan(ramSize: 4096, regions: [], vcpus: [], ghcbVersion: 0)
            try EncryptedVM(plan, syscalls).launch(plan)
            return nil
        } catch { return error }
    }
}

// The processor, KVM, and its modules.
extension Doctor {
    private static let sevES = "--machine sev-es"
    private static let kvm = "--machine kvm and sev-es"
    private static let hardwareOnly =
        "nothing does: it takes an EPYC; --machine emulator needs none"

    private var processor: DoctorCheck {
        let flags = (files.value(of: "flags", in: "/proc/cpuinfo") ?? "").split(separator: " ")
        let vendor =
            files.value(of: "vendor_id", in: "/proc/cpuinfo") ?? "a processor without a name"
        let wanted = ["svm", "sev", "sev_es", "debug_swap"]
        let found = wanted.filter { flags.contains(Substring($0)) }
        let names =
            found.isEmpty
            ? "none of \(wanted.joined(separator: ", "))" : found.joined(separator: ", ")
        let finding = "\(vendor) with \(names)"
        guard found.contains("sev_es") else {
            let mend =
                vendor == "AuthenticAMD" && found.contains("svm")
                ? "turn SME, SEV and SEV-ES on in the BIOS, if this is an EPYC" : Self.hardwareOnly
            return DoctorCheck(
                "processor", "processor", missing: finding, for: Self.sevES, mend: mend)
        }
        return DoctorCheck("processor", "processor", ok: finding, for: Self.sevES)
    }

    private var kvmDevice: DoctorCheck {
        do throws(KVMError) {
            _ = try SystemFD(syscalls)
            return DoctorCheck("kvm-device", "/dev/kvm", ok: "opens; API version 12", for: Self.kvm)
        } catch { return failed("kvm-device", "/dev/kvm", error, for: Self.kvm) }
    }

    /// A call that failed, with the advice of its message for the remedy.
    private func failed(
        _ id: String, _ title: String, _ error: KVMError, for need: String
    ) -> DoctorCheck {
        DoctorCheck(
            id, title, missing: error.summary, for: need, mend: error.remedy ?? Self.hardwareOnly)
    }

    /// The extensions that machines are made of; none where KVM is not to be had.
    private var kvmChecks: [DoctorCheck] {
        guard let system = try? SystemFD(syscalls) else { return [] }
        let rows: [(Int32, String, String)] = [
            (KVM_CAP_SYNC_REGS, "KVM_CAP_SYNC_REGS", "--machine kvm: registers with each exit"),
            (KVM_CAP_SET_GUEST_DEBUG, "KVM_CAP_SET_GUEST_DEBUG", "--machine kvm: single steps"),
            (
                KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT",
                "--machine kvm: interrupting a vCPU"
            ),
            (KVM_CAP_X86_MSR_FILTER, "KVM_CAP_X86_MSR_FILTER", "exits for MSRs of plain vCPUs"),
        ]
        let absent = rows.filter { ((try? system.extensionValue($0.0)) ?? 0) == 0 }
        let all = "registers, single steps, interruption and MSR filter"
        guard !absent.isEmpty else {
            return [DoctorCheck("kvm-extensions", "KVM extensions", ok: all, for: "--machine kvm")]
        }
        return absent.map {
            DoctorCheck(
                "kvm-extensions", "KVM extensions", missing: $0.1, for: $0.2,
                mend: "boot a newer kernel; --machine emulator needs none of it")
        }
    }

    /// What stops a plain vCPU, as a try has shown; `nil` where KVM is not to be had.
    private var stops: DoctorCheck? {
        guard (try? SystemFD(syscalls)) != nil else { return nil }
        let (id, title, need) = ("kvm-stops", "KVM stops", "--machine kvm: steps, and fast runs")
        do throws(KVMError) {
            let ways = try stopWays().get()
            guard ways.work(.singleStep) else {
                return DoctorCheck(
                    id, title, missing: ways.text, for: need,
                    mend: "boot a newer kernel; --machine emulator needs none of it")
            }
            return DoctorCheck(id, title, ok: ways.text, for: need)
        } catch { return failed(id, title, error, for: need) }
    }

    private var modules: DoctorCheck {
        let names = ["sev", "sev_es"]
        let values = names.map { ($0, files.line("/sys/module/kvm_amd/parameters/\($0)")) }
        let shown = values.map { "\($0.0)=\($0.1 ?? "?")" }.joined(separator: " ")
        let reload = "sudo modprobe -r kvm_amd && sudo modprobe kvm_amd sev=1 sev_es=1"
        guard values.contains(where: { $0.1 != nil }) else {
            return DoctorCheck(
                "kvm-amd", "kvm_amd", missing: "is not loaded, or has no SEV (CONFIG_KVM_AMD_SEV)",
                for: Self.sevES, mend: "`\(reload)`, on an EPYC")
        }
        guard values.allSatisfy({ $0.1 == "Y" || $0.1 == "1" }) else {
            return DoctorCheck(
                "kvm-amd", "kvm_amd", missing: shown, for: Self.sevES,
                mend: "`\(reload)`; if they stay N, turn SEV-ES on in the BIOS")
        }
        return DoctorCheck("kvm-amd", "kvm_amd", ok: shown, for: Self.sevES)
    }

    private var vmTypes: DoctorCheck? {
        guard let system = try? SystemFD(syscalls) else { return nil }
        let bitmap = (try? system.extensionValue(KVM_CAP_VM_TYPES)) ?? 0
        let names = ["default", "sw-protected", "sev", "sev-es", "snp"]
        let found = names.indices.filter { bitmap & 1 << $0 != 0 }.map { names[$0] }
        let finding =
            found.isEmpty ? "none are told (before Linux 6.8)" : found.joined(separator: ", ")
        guard found.contains("sev-es") else {
            return DoctorCheck(
                "vm-types", "VM types", missing: finding,
                for: "--machine sev-es with GHCB version 2 (KVM_SEV_INIT2)",
                mend: "boot Linux 6.10 or later on an EPYC with SEV-ES on")
        }
        return DoctorCheck("vm-types", "VM types", ok: finding, for: Self.sevES)
    }
}

// The SEV firmware.
extension Doctor {
    private var firmware: DoctorCheck {
        do throws(KVMError) {
            let status = try SEVDevice(syscalls).status()
            return DoctorCheck(
                "sev-device", "/dev/sev", ok: "opens; firmware \(status.text)", for: Self.sevES)
        } catch { return failed("sev-device", "/dev/sev", error, for: Self.sevES) }
    }

    private var platform: DoctorCheck? {
        guard let system = try? SystemFD(syscalls) else { return nil }
        do throws(KVMError) {
            let host = try EncryptedHost(system)
            return DoctorCheck(
                "c-bit", "C-bit",
                ok: "bit \(host.cBit), GHCB protocol to version"
                    + " \(host.highestVersion)", for: Self.sevES)
        } catch {
            return DoctorCheck(
                "c-bit", "C-bit", missing: "CPUID 8000_001F offers no SEV-ES",
                for: Self.sevES, mend: "`sudo modprobe kvm_amd sev=1 sev_es=1`, on an EPYC")
        }
    }

    /// Only where there is SEV-ES to have it.
    private var debugSwap: DoctorCheck? {
        guard let system = try? SystemFD(syscalls), let host = try? EncryptedHost(system) else {
            return nil
        }
        guard host.features.contains(.debugSwap) else {
            return DoctorCheck(
                "debug-swap", "DebugSwap", missing: "is not offered",
                for: "hardware breakpoints inside an SEV-ES guest; without it steps arrive as #VC",
                mend:
                    "`sudo modprobe -r kvm_amd && sudo modprobe kvm_amd debug_swap=1`, on EPYC 9004"
            )
        }
        return DoctorCheck("debug-swap", "DebugSwap", ok: "is offered", for: Self.sevES)
    }
}

// What the process may do.
extension Doctor {
    /// What a guest of the default size needs, with sevdbg's own pages.
    private static let guestSize: UInt64 = 20 << 20
    private static let lockingCapability: UInt64 = 1 << 14

    private var capabilities: UInt64 {
        UInt64(files.value(of: "CapEff", in: "/proc/self/status") ?? "", radix: 16) ?? 0
    }

    private var memoryLock: DoctorCheck {
        let words = (files.value(of: "Max locked memory", in: "/proc/self/limits") ?? "")
            .split(separator: " ")
        let limit = words.first.map(String.init) ?? "unknown"
        let need = "--machine sev-es: a guest's memory is pinned"
        if capabilities & Self.lockingCapability != 0 {
            return DoctorCheck(
                "memlock", "locked memory", ok: "no limit for this user (CAP_IPC_LOCK)", for: need)
        }
        let isEnough = limit == "unlimited" || (UInt64(limit) ?? 0) >= Self.guestSize
        guard !isEnough else {
            return DoctorCheck(
                "memlock", "locked memory",
                ok: limit == "unlimited" ? "no limit" : "\(limit) bytes", for: need)
        }
        return DoctorCheck(
            "memlock", "locked memory", missing: "\(limit) bytes, less than a guest has", for: need,
            mend: "`ulimit -l unlimited`, allowed by a line `@kvm - memlock unlimited` in"
                + " /etc/security/limits.conf")
    }

    private var tracepoints: DoctorCheck {
        let path = "/sys/kernel/tracing/events/kvm/kvm_vmgexit_enter/format"
        let need = "requests as KVM saw them, before it wiped the page"
        do throws(Errno) {
            _ = try files.read(path)
            return DoctorCheck(
                "tracepoints", "tracepoints", ok: "kvm_vmgexit_enter is there", for: need)
        } catch {
            let mend =
                switch error {
                case .permissionDenied, .notPermitted:
                    "run as root, or `sudo chmod -R o+rX /sys/kernel/tracing`"
                default: "`sudo mount -t tracefs nodev /sys/kernel/tracing`, with kvm loaded"
                }
            return DoctorCheck(
                "tracepoints", "tracepoints",
                missing: "kvm_vmgexit_enter: \(KVMError.name(of: error))", for: need, mend: mend)
        }
    }

    private var typeInformation: DoctorCheck {
        let need = "observing a foreign VMM by BPF"
        let bpf: UInt64 = 1 << 39 | 1 << 21
        guard (try? files.read("/sys/kernel/btf/vmlinux")) != nil else {
            return DoctorCheck(
                "bpf", "BPF", missing: "the kernel has no type information (BTF)", for: need,
                mend: "boot a kernel with CONFIG_DEBUG_INFO_BTF=y")
        }
        guard capabilities & bpf != 0 else {
            return DoctorCheck(
                "bpf", "BPF", missing: "CAP_BPF is not there", for: need, mend: "run it with sudo")
        }
        return DoctorCheck("bpf", "BPF", ok: "type information and CAP_BPF", for: need)
    }

    private static let tracingCapability: UInt64 = 1 << 19

    private var tracing: DoctorCheck {
        let need = "attaching to a foreign VMM"
        guard let scope = files.line(YamaScope.path).flatMap(YamaScope.init) else {
            return DoctorCheck("ptrace", "ptrace", ok: "no Yama", for: need)
        }
        let finding = "ptrace_scope \(scope.number)"
        guard scope.demand != nil, capabilities & Self.tracingCapability == 0 else {
            return DoctorCheck("ptrace", "ptrace", ok: finding, for: need)
        }
        return DoctorCheck(
            "ptrace", "ptrace", missing: finding, for: need, mend: scope.remedy)
    }
}
