/// Where a check works: one machine, what it can do, and guests on it.
struct ConformanceBench: Sendable {
    let machine: ConformanceMachine
    let traits: MachineTraits
    /// The highest version of the GHCB protocol that it offers.
    let protocolVersion: Int
    /// How long a command may let a guest run.
    let patience: Duration

    /// RAM of the guests: enough for all of them, and quickly compared.
    private static let memory: UInt64 = 2 << 20

    /// Launches a guest to learn what the machine can do.
    init(_ machine: ConformanceMachine, patience: Duration) throws(ConformanceFailure) {
        self.machine = machine
        self.patience = patience
        var options = LaunchOptions(memory: Self.memory)
        do throws(MachineError) {
            try machine.prepare(&options)
        } catch { throw ConformanceFailure(error.message) }
        let guest = try ExaminedGuest(Self.image([0xc3]), options, machine, patience)
        (traits, protocolVersion) = (guest.machine.traits, options.ghcbVersion)
    }

    var isReference: Bool { machine.name == ConformanceMachine.reference.name }

    /// A guest of a few bytes, at `GuestImage.flatAddress`.
    static func image(_ code: [UInt8]) -> GuestImage { GuestImage(flat: code, name: "check") }

    /// The options of a launch on this machine.
    func options(
        _ image: GuestImage, _ change: (inout LaunchOptions) -> Void
    ) throws(ConformanceFailure) -> LaunchOptions {
        var options = LaunchOptions(image.defaults)
        if image.defaults.memory == LaunchDefaults().memory { options.memory = Self.memory }
        change(&options)
        do throws(MachineError) {
            try machine.prepare(&options)
        } catch { throw ConformanceFailure(error.message) }
        return options
    }

    /// Launches a guest.
    func launch(
        _ image: GuestImage, _ change: (inout LaunchOptions) -> Void = { _ in }
    ) throws(ConformanceFailure) -> ExaminedGuest {
        try ExaminedGuest(image, try options(image, change), machine, patience)
    }

    /// Launches a built-in guest.
    func launch(
        _ name: String, _ change: (inout LaunchOptions) -> Void = { _ in }
    ) throws(ConformanceFailure) -> ExaminedGuest {
        guard let guest = BuiltInGuest[name] else {
            throw ConformanceFailure("there is no guest \(name)")
        }
        return try launch(guest.image, change)
    }

    /// Launches a guest of a few bytes, and lets its first vCPU come to the first of them.
    func enter(
        _ code: [UInt8], _ change: (inout LaunchOptions) -> Void = { _ in }
    ) throws(ConformanceFailure) -> ExaminedGuest {
        let guest = try launch(Self.image(code), change)
        try guest.run("break *\(GuestImage.flatAddress.hex)")
        try expect("the stop at the entry", try guest.stop("continue").reason, is: .breakpoint)
        try guest.run("delete")
        return guest
    }

    /// The same launch on the machine that all are compared with.
    func reference(
        _ image: GuestImage, _ change: (inout LaunchOptions) -> Void
    ) throws(ConformanceFailure) -> ExaminedGuest {
        var options = try options(image, change)
        options.hasDebugStub = false
        return try ExaminedGuest(image, options, .reference, patience)
    }
}
