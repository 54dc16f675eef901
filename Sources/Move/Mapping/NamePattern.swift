/// A name with wildcards, as AWS DMS writes them.
///
/// `%` stands for any characters, `_` for one, `[ab]` for one of a set, `[a-d]` for one of a range; so `[_]` is an
/// underscore. Letters count as they are.
struct NamePattern: Sendable, Hashable {
    /// As it was written.
    let text: String
    private let wildcards: Wildcards

    /// Whether it is the name of one thing.
    var isExact: Bool { wildcards.isExact }

    /// Reads a pattern; nil when a bracket is not closed, or has nothing in it.
    init?(_ text: String) {
        self.text = text
        var steps: [Wildcards.Step] = []
        var rest = Array(text.unicodeScalars)[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "%": steps.append(.any)
            case "_": steps.append(.one)
            case "[":
                guard let end = rest.firstIndex(of: "]"), end > rest.startIndex,
                    let ranges = Self.ranges(in: rest[..<end])
                else { return nil }
                steps.append(.among(ranges))
                rest = rest[(end + 1)...]
            default: steps.append(.exactly(scalar))
            }
        }
        wildcards = Wildcards(steps: steps)
    }

    /// The name itself, without wildcards.
    init(exactly text: String) {
        self.text = text
        wildcards = Wildcards(steps: text.unicodeScalars.map { .exactly($0) })
    }

    private static func ranges(in set: ArraySlice<Unicode.Scalar>) -> [ClosedRange<Unicode.Scalar>]? {
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        var rest = set
        while let first = rest.popFirst() {
            if rest.first == "-", rest.count > 1, let last = rest.dropFirst().first {
                guard first <= last else { return nil }
                ranges.append(first...last)
                rest = rest.dropFirst(2)
            } else {
                ranges.append(first...first)
            }
        }
        return ranges
    }

    /// Whether a name is as the pattern says.
    func matches(_ name: String) -> Bool { wildcards.matches(name) }
}
