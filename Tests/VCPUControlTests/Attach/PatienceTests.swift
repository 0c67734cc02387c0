import Testing

@testable import VCPUControl

@Suite("Patience")
struct PatienceTests {
    private let start = ContinuousClock.now

    /// Looks every so often until waiting ends, but not for more than two minutes.
    private func wait(
        every round: Duration, isRunning: (Duration) -> Bool
    ) -> (end: Patience.End, time: Duration)? {
        var patience = Patience(from: start)
        var time = Duration.zero
        while time < .seconds(120) {
            time += round
            if let end = patience.look(isRunning: isRunning(time), at: start + time) {
                return (end, time)
            }
        }
        return nil
    }

    @Test("a VMM that does nothing is not waited for for long, however often it is looked at")
    func idle() throws {
        for round in [Duration.microseconds(50), .milliseconds(1), .milliseconds(10)] {
            let (end, time) = try #require(wait(every: round) { _ in false })
            #expect(end == .idle && time == .seconds(2))
        }
    }

    @Test("a VMM whose threads run, or wait for a processor, is waited for within a bound")
    func late() throws {
        let (end, time) = try #require(wait(every: .milliseconds(10)) { _ in true })
        #expect(end == .late && time == .seconds(60))
    }

    @Test("where a vCPU is held already, the others are waited for for less")
    func holding() {
        var patience = Patience(from: start)
        let ends = (1...20).map {
            patience.look(
                isRunning: $0 % 2 == 0, isHolding: true, at: start + .milliseconds(10 * $0))
        }
        #expect(ends == [Patience.End?](repeating: nil, count: 18) + [.idle, .idle])
    }

    @Test("times of doing nothing add up")
    func sum() throws {
        let (end, time) = try #require(
            wait(every: .milliseconds(10)) { Int($0 / .milliseconds(10)) % 2 == 0 })
        #expect(end == .idle && time == .milliseconds(3990))
    }

    @Test("a tracer that was not run itself for seconds does not take them for the VMM's")
    func starved() throws {
        let (end, time) = try #require(wait(every: .milliseconds(500)) { _ in false })
        #expect(end == .late && time == .seconds(60))
    }
}
