import Testing

@testable import VCPUControl

/// Whether KVM is there, and the plans that fit it.
enum HostKVM {
    /// The position of the C-bit on this host's KVM, or why there is none.
    static let cBit = Result<Int, MachineError> { () throws(MachineError) in try KVMMachine.cBit() }

    static var isThere: Bool { (try? cBit.get()) != nil }

    /// Why tests are skipped.
    static var reason: Comment {
        if case .failure(let error) = cBit { "needs KVM: \(error.message)" } else { "KVM is there" }
    }

    static func plan(_ image: GuestImage, _ options: LaunchOptions) throws -> LaunchPlan {
        var options = options
        options.cBit = try cBit.get()
        return try LaunchPlan(image, options)
    }
}
