/// What an open file of KVM is, by the name that /proc/PID/fd and /proc/PID/maps have for it.
enum KVMFile: Equatable {
    case vm
    case vcpu(Int)

    /// Takes the target of a link; `nil` for every other file.
    init?(_ target: String) {
        let vcpu = "anon_inode:kvm-vcpu:"
        if target == "anon_inode:kvm-vm" {
            self = .vm
        } else if target.hasPrefix(vcpu), let number = Int(target.dropFirst(vcpu.count)) {
            self = .vcpu(number)
        } else {
            return nil
        }
    }
}
