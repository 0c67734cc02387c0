package import VCPUControl

/// What a command under way has shown of itself.
package struct RunSamples: Sendable, Equatable {
    private struct Sample: Sendable, Equatable {
        var time: Duration
        var instructions: UInt64
    }

    package private(set) var progress: RunProgress?
    /// Since the command began.
    package private(set) var elapsed = Duration.zero
    /// How often the guest was seen.
    package private(set) var count = 0
    /// Those of the last second.
    private var samples: [Sample] = []

    package init() {}

    /// Takes what is known after a time; `nil`: nothing new of the guest.
    package mutating func take(_ progress: RunProgress?, at time: Duration) {
        elapsed = time
        guard let progress else { return }
        let isAnother = self.progress.map {
            $0.compared != progress.compared || $0.instructions.value > progress.instructions.value
        }
        if isAnother ?? false { samples = [] }
        self.progress = progress
        count += 1
        samples.append(Sample(time: time, instructions: progress.instructions.value))
        samples.removeAll { time - $0.time > .seconds(1) }
    }

    /// The user's own guest as it was seen last; `nil` while `compare` runs others.
    package var guest: RunProgress? { progress?.compared == nil ? progress : nil }

    /// Instructions a second, over the last second; `nil` before two looks.
    package var rate: UInt64? {
        guard let first = samples.first, let last = samples.last, last.time > first.time else {
            return nil
        }
        let seconds = (last.time - first.time) / .seconds(1)
        return UInt64(Double(last.instructions - first.instructions) / seconds)
    }
}
