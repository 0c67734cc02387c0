import Testing

@testable import VCPUControl

@Suite("Two sequences side by side")
struct SequenceAlignmentTests {
    private func align(
        _ left: String, _ right: String, window: Int = 1000
    ) -> SequenceAlignment<Character> {
        SequenceAlignment(
            Array(left), Array(right), window: window, key: { $0 },
            kind: { $0.lowercased() })
    }

    /// `a` for a pair, `a>b` for a change, `-a`, `+b`, and `(2,3)` for what was left out.
    private func text(_ alignment: SequenceAlignment<Character>) -> String {
        alignment.entries.map { entry in
            switch entry {
            case .paired(let left, _): "\(left)"
            case .changed(let left, let right): "\(left)>\(right)"
            case .removed(let left): "-\(left)"
            case .added(let right): "+\(right)"
            case .omitted(let left, let right): "(\(left),\(right))"
            }
        }.joined(separator: " ")
    }

    @Test(
        "what belongs together is found",
        arguments: [
            ("", "", ""), ("abc", "abc", "a b c"), ("", "ab", "+a +b"), ("ab", "", "-a -b"),
            ("abc", "axbc", "a +x b c"), ("abc", "ac", "a -b c"), ("abc", "aBc", "a b>B c"),
            ("abc", "xyz", "-a -b -c +x +y +z"), ("aabb", "AxB", "a>A -a -b +x b>B"),
            ("abab", "ab", "a b -a -b"),
        ])
    func pairs(left: String, right: String, expected: String) {
        #expect(text(align(left, right)) == expected)
    }

    /// The length of the longest common subsequence, by its definition.
    private func common(_ left: [Character], _ right: [Character]) -> Int {
        var row = [Int](repeating: 0, count: right.count + 1)
        for first in left {
            var corner = 0
            for (index, second) in right.enumerated() {
                let above = row[index + 1]
                row[index + 1] = first == second ? corner + 1 : max(above, row[index])
                corner = above
            }
        }
        return row.last ?? 0
    }

    @Test("any two sequences: nothing is lost, the order stays, and most is paired")
    func random() {
        var generator = SeededGenerator(state: 5)
        for _ in 0..<500 {
            func sequence() -> [Character] {
                (0..<generator.next() % 24).map { _ in
                    "abcABC".randomElement(using: &generator) ?? "a"
                }
            }
            let (left, right) = (sequence(), sequence())
            let entries = align(String(left), String(right)).entries
            var (first, second, paired) = ([Character](), [Character](), 0)
            for entry in entries {
                switch entry {
                case .paired(let one, let two):
                    #expect(one == two)
                    (first, second, paired) = (first + [one], second + [two], paired + 1)
                case .changed(let one, let two): (first, second) = (first + [one], second + [two])
                case .removed(let one): first.append(one)
                case .added(let two): second.append(two)
                case .omitted: Issue.record("nothing is behind the window")
                }
            }
            #expect(first == left && second == right)
            #expect(paired == common(left, right))
        }
    }

    @Test("behind the window nothing is aligned but common ends, and that is said")
    func window() {
        #expect(text(align("abcdz", "xbydz", window: 2)) == "-a +x b (1,1) d z")
        let long = String(repeating: "a", count: 5000) + "b" + String(repeating: "c", count: 5000)
        let other = String(repeating: "a", count: 5000) + "d" + String(repeating: "c", count: 5000)
        #expect(align(long, other, window: 1).entries.count == 10_002)
        let entries = align(
            String(repeating: "ab", count: 3000), String(repeating: "cd", count: 3000), window: 10
        ).entries
        #expect(entries.last == .omitted(left: 5990, right: 5990))
    }

    @Test("the end of sequences that were cut off is taken away where anything agrees")
    func trim() {
        var some = align("abcx", "abcyz")
        #expect(some.trimEnd() == (1, 2))
        #expect(text(some) == "a b c")
        var none = align("x", "y")
        #expect(none.trimEnd() == (0, 0))
        #expect(text(none) == "-x +y")
    }
}
