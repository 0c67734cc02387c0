// Running vCPUs at the same time: all are called back as soon as one of them comes out, so that
// nothing runs while somebody looks.
extension SEVESMachine {
    /// Makes one `KVM_RUN` of each of these vCPUs on its thread.
    func runAtOnce(_ numbers: [Int], on threads: VCPUThreads) {
        for number in numbers { _ = recalls[number].flag.take() }
        let recalls = recalls
        let results = threads.perform(numbers) { number in
            defer { for other in numbers where other != number { recalls[other].flag.raise() } }
            guard recalls[number].isHeeded else { return self.run(number, every: 1, nil) }
            return self.run(number, every: Self.milliseconds, recalls[number].flag)
        }
        for (number, result) in zip(numbers, results) {
            self.recalls[number].note(result)
            arrivals.append((number, result))
        }
    }
}

/// How a vCPU is called back from its thread, and how often it was since it came out by itself.
struct Recall {
    let flag = InterruptFlag()
    private var count = 0

    /// Whether it comes when it is called; it would never get on beside one that comes out all the time.
    var isHeeded: Bool { count < Self.limit }

    private static let limit = 4

    /// Takes note of how a `KVM_RUN` ended.
    mutating func note(_ result: Result<KVMExit, KVMError>) {
        let wasCalled = isHeeded && flag.isRaised && result == .success(.interrupted)
        count = wasCalled ? count + 1 : 0
    }
}
