/// Two sequences side by side: which elements belong together, and which have no partner.
///
/// Common ends are matched first; Myers' algorithm (the standard library's) works on what is left
/// between them, within a window, for its memory grows with the square of the differences.
struct SequenceAlignment<Element> {
    /// What became of one place.
    enum Entry {
        /// Partners with the same key.
        case paired(Element, Element)
        /// Neither has a partner of its key, and they are of one kind.
        case changed(Element, Element)
        case removed(Element)
        case added(Element)
        /// So many elements lie behind the window, and were not looked at.
        case omitted(left: Int, right: Int)
    }

    private(set) var entries: [Entry] = []

    /// Lays two sequences side by side.
    ///
    /// - Parameters:
    ///   - left: the first sequence.
    ///   - right: the second sequence.
    ///   - window: how many elements of each side are aligned at most, common ends not counted.
    ///   - key: what makes two elements partners.
    ///   - kind: what makes two elements without partners one that has changed.
    init<Key: Hashable, Kind: Hashable>(
        _ left: [Element], _ right: [Element], window: Int, key: (Element) -> Key,
        kind: (Element) -> Kind
    ) {
        let (leftKeys, rightKeys) = Self.numbered(left, right, key)
        let common = zip(leftKeys, rightKeys).prefix { $0 == $1 }.count
        let rest = min(left.count, right.count) - common
        let end = zip(leftKeys.reversed(), rightKeys.reversed()).prefix(rest)
            .prefix { $0 == $1 }.count
        pair(left[..<common], right[..<common])
        var middle = Middle(
            left: Array(common..<left.count - end), right: Array(common..<right.count - end))
        let omitted = middle.cut(to: window)
        align(left, right, middle, leftKeys, rightKeys, kind)
        if omitted.left + omitted.right > 0 { omit(omitted) }
        pair(left[(left.count - end)...], right[(right.count - end)...])
    }

    /// Takes the elements without partners off the end, where any were paired before.
    ///
    /// For sequences that were cut off: their ends say nothing.
    /// - Returns: how many there were.
    mutating func trimEnd() -> (left: Int, right: Int) {
        guard let last = entries.lastIndex(where: \.hasPartners) else { return (0, 0) }
        var trimmed = (left: 0, right: 0)
        for entry in entries[(last + 1)...] {
            let size = entry.size
            trimmed = (trimmed.left + size.left, trimmed.right + size.right)
        }
        entries.removeSubrange((last + 1)...)
        return trimmed
    }
}

extension SequenceAlignment.Entry {
    var hasPartners: Bool {
        switch self {
        case .paired, .changed: true
        case .removed, .added, .omitted: false
        }
    }

    /// How many elements of each side it stands for.
    var size: (left: Int, right: Int) {
        switch self {
        case .paired, .changed: (1, 1)
        case .removed: (1, 0)
        case .added: (0, 1)
        case .omitted(let left, let right): (left, right)
        }
    }
}

extension SequenceAlignment: Sendable where Element: Sendable {}
extension SequenceAlignment.Entry: Sendable where Element: Sendable {}
extension SequenceAlignment: Equatable where Element: Equatable {}
extension SequenceAlignment.Entry: Equatable where Element: Equatable {}

// MARK: - Aligning

extension SequenceAlignment {
    /// The places between the common ends, by their positions.
    private struct Middle {
        var left: [Int]
        var right: [Int]

        /// - Returns: how many places do not fit.
        mutating func cut(to window: Int) -> (left: Int, right: Int) {
            let omitted = (max(left.count - window, 0), max(right.count - window, 0))
            (left, right) = (Array(left.prefix(window)), Array(right.prefix(window)))
            return omitted
        }
    }

    /// A number for each key: comparing keys themselves would take most of the time.
    private static func numbered<Key: Hashable>(
        _ left: [Element], _ right: [Element], _ key: (Element) -> Key
    ) -> (left: [Int], right: [Int]) {
        var numbers: [Key: Int] = [:]
        func number(_ element: Element) -> Int {
            let next = numbers.count
            let key = key(element)
            if let number = numbers[key] { return number }
            numbers[key] = next
            return next
        }
        return (left.map(number), right.map(number))
    }

    private mutating func pair(_ left: ArraySlice<Element>, _ right: ArraySlice<Element>) {
        for (left, right) in zip(left, right) { entries.append(.paired(left, right)) }
    }

    private mutating func align<Kind: Hashable>(
        _ left: [Element], _ right: [Element], _ middle: Middle, _ leftKeys: [Int],
        _ rightKeys: [Int], _ kind: (Element) -> Kind
    ) {
        var gap = (left: [Element](), right: [Element]())
        for step in Self.steps(middle.left.map { leftKeys[$0] }, middle.right.map { rightKeys[$0] })
        {
            switch step {
            case (let first?, let second?):
                close(&gap, kind)
                entries.append(.paired(left[middle.left[first]], right[middle.right[second]]))
            case (let first?, nil): gap.left.append(left[middle.left[first]])
            case (nil, let second?): gap.right.append(right[middle.right[second]])
            case (nil, nil): break
            }
        }
        close(&gap, kind)
    }

    /// Looks in a gap for elements of one kind, in their order.
    private mutating func close<Kind: Hashable>(
        _ gap: inout (left: [Element], right: [Element]), _ kind: (Element) -> Kind
    ) {
        let (left, right) = Self.numbered(gap.left, gap.right, kind)
        for step in Self.steps(left, right) {
            switch step {
            case (let first?, let second?):
                entries.append(.changed(gap.left[first], gap.right[second]))
            case (let first?, nil): entries.append(.removed(gap.left[first]))
            case (nil, let second?): entries.append(.added(gap.right[second]))
            case (nil, nil): break
            }
        }
        gap = ([], [])
    }

    /// Positions that belong together, and those that stand alone, in order.
    private static func steps(_ left: [Int], _ right: [Int]) -> [(left: Int?, right: Int?)] {
        let difference = right.difference(from: left)
        let removed = Set(difference.removals.map(\.offset))
        let added = Set(difference.insertions.map(\.offset))
        var steps: [(left: Int?, right: Int?)] = []
        var (first, second) = (0, 0)
        while first < left.count || second < right.count {
            if removed.contains(first) {
                steps.append((first, nil))
                first += 1
            } else if added.contains(second) {
                steps.append((nil, second))
                second += 1
            } else {
                steps.append((first, second))
                (first, second) = (first + 1, second + 1)
            }
        }
        return steps
    }

    /// Adds what was not looked at; the end of the window is without partners by chance.
    private mutating func omit(_ omitted: (left: Int, right: Int)) {
        let trimmed = trimEnd()
        entries.append(
            .omitted(left: omitted.left + trimmed.left, right: omitted.right + trimmed.right))
    }
}

extension CollectionDifference.Change {
    fileprivate var offset: Int {
        switch self {
        case .insert(let offset, _, _), .remove(let offset, _, _): offset
        }
    }
}
