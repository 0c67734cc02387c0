/// Whom Yama lets trace a process; Documentation/admin-guide/LSM/Yama.rst.
struct YamaScope: Equatable {
    static let path = "/proc/sys/kernel/yama/ptrace_scope"

    var number: Int

    init(_ number: Int) { self.number = number }

    /// Takes what the file holds.
    init?(_ text: String) {
        guard let number = Int(text.prefix { $0.isNumber }) else { return nil }
        self.init(number)
    }

    /// What it asks for, and how to get that; `nil` where it leaves ptrace alone.
    var demand: String? {
        switch number {
        case 0: nil
        case 1:
            "Yama lets a process be traced by its ancestors only (ptrace_scope 1): \(remedy)"
        case 2: "Yama wants CAP_SYS_PTRACE (ptrace_scope 2): \(remedy)"
        default: "Yama forbids every attach until the next boot (ptrace_scope 3): \(remedy)"
        }
    }

    var remedy: String {
        switch number {
        case ...1:
            "use sudo, or `sudo sysctl kernel.yama.ptrace_scope=0`, or `sudo setcap"
                + " cap_sys_ptrace+ep` on sevdbg"
        case 2: "use sudo, or `sudo setcap cap_sys_ptrace+ep` on sevdbg"
        default: "boot with another kernel.yama.ptrace_scope"
        }
    }
}
