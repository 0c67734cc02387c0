import Dispatch
import Glibc
import Synchronization
import Testing

@testable import VCPUControl

@Suite("Threads of vCPUs", .timeLimit(.minutes(1)))
struct VCPUThreadsTests {
    /// A place that nobody leaves before all have come.
    private struct Meeting {
        private let bells: [DispatchSemaphore]

        init(of count: Int) { bells = (0..<count).map { _ in DispatchSemaphore(value: 0) } }

        func join(_ number: Int) {
            for other in bells.indices where other != number { bells[other].signal() }
            for _ in 1..<bells.count { bells[number].wait() }
        }
    }

    private final class Counts: Sendable {
        let inside = Atomic(0)
        let disturbed = Atomic(0)
    }

    @Test("each vCPU has one thread, and all run at the same time")
    func atOnce() throws {
        let threads = try #require(try VCPUThreads(.threads, count: 3))
        let meeting = Meeting(of: 3)
        let first = threads.perform([0, 1, 2]) { number in
            meeting.join(number)
            return pthread_self()
        }
        #expect(Set(first + [pthread_self()]).count == 4)
        #expect(threads.perform([2, 0]) { _ in pthread_self() } == [first[2], first[0]])
    }

    @Test("those who take turns have none, and one vCPU alone needs none")
    func none() throws {
        #expect(try VCPUThreads(.turns, count: 3) == nil)
        #expect(try VCPUThreads(.threads, count: 1) == nil)
    }

    @Test("several vCPUs are in the guest at a time")
    func guests() throws {
        let threads = try #require(try VCPUThreads(.threads, count: 3))
        let (lock, meeting) = (GuestLock(), Meeting(of: 3))
        let left = threads.perform([0, 1, 2]) { number in
            lock.inTurn { lock.inGuest { meeting.join(number) } }
            return number
        }
        #expect(left == [0, 1, 2])
    }

    @Test("turns come one after the other, and nobody is in the guest beside one that is alone")
    func alone() throws {
        let threads = try #require(try VCPUThreads(.threads, count: 4))
        let (lock, counts) = (GuestLock(), Counts())
        // No atomic: what makes it exact is the lock.
        nonisolated(unsafe) var turns = 0
        _ = threads.perform([0, 1, 2, 3]) { number in
            for round in 0..<2000 {
                lock.inTurn {
                    unsafe turns += 1
                    lock.inGuest {
                        _ = counts.inside.add(1, ordering: .sequentiallyConsistent)
                        _ = counts.inside.subtract(1, ordering: .sequentiallyConsistent)
                    }
                    guard (round + number) % 3 == 0 else { return }
                    lock.beAlone()
                    guard counts.inside.load(ordering: .sequentiallyConsistent) != 0 else { return }
                    _ = counts.disturbed.add(1, ordering: .relaxed)
                }
            }
        }
        #expect(unsafe turns == 8000)
        #expect(counts.disturbed.load(ordering: .relaxed) == 0)
    }

    @Test("a vCPU that is called back all the time is let be once")
    func recall() {
        var recall = Recall()
        func end(_ exit: KVMExit, isCalled: Bool) {
            _ = recall.flag.take()
            if isCalled { recall.flag.raise() }
            recall.note(.success(exit))
        }
        for _ in 0..<3 { end(.interrupted, isCalled: true) }
        end(.halt, isCalled: true)
        for _ in 0..<3 { end(.interrupted, isCalled: true) }
        end(.interrupted, isCalled: false)
        for _ in 0..<4 {
            #expect(recall.isHeeded)
            end(.interrupted, isCalled: true)
        }
        #expect(!recall.isHeeded)
        end(.interrupted, isCalled: true)
        #expect(recall.isHeeded)
    }
}
