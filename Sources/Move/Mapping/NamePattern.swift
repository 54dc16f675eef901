/// A name with wildcards, as AWS DMS writes them.
///
/// `%` stands for any characters, `_` for one, `[ab]` for one of a set, `[a-d]` for one of a range; so `[_]` is an
/// underscore. Letters count as they are.
struct NamePattern: Sendable, Hashable {
    private enum Step: Sendable, Hashable {
        case exactly(Unicode.Scalar)
        case one
        case among([ClosedRange<Unicode.Scalar>])
        case any
    }

    /// As it was written.
    let text: String
    private let steps: [Step]

    /// Whether it is the name of one thing.
    var isExact: Bool {
        steps.allSatisfy { if case .exactly = $0 { true } else { false } }
    }

    /// Reads a pattern; nil when a bracket is not closed, or has nothing in it.
    init?(_ text: String) {
        self.text = text
        var steps: [Step] = []
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
        self.steps = steps
    }

    /// The name itself, without wildcards.
    init(exactly text: String) {
        self.text = text
        steps = text.unicodeScalars.map { .exactly($0) }
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

    /// Whether a name is as the pattern says; goes back to the last `%` when something does not fit.
    func matches(_ name: String) -> Bool {
        var steps = steps[...]
        var text = Array(name.unicodeScalars)[...]
        var retry: (steps: ArraySlice<Step>, text: ArraySlice<Unicode.Scalar>)?
        while true {
            if case .any? = steps.first {
                steps = steps.dropFirst()
                retry = (steps, text)
            } else if let scalar = text.first, Self.fits(steps.first, scalar) {
                (steps, text) = (steps.dropFirst(), text.dropFirst())
            } else if steps.isEmpty, text.isEmpty {
                return true
            } else if let last = retry, !last.text.isEmpty {
                retry = (last.steps, last.text.dropFirst())
                (steps, text) = (last.steps, last.text.dropFirst())
            } else {
                return false
            }
        }
    }

    private static func fits(_ step: Step?, _ scalar: Unicode.Scalar) -> Bool {
        switch step {
        case .exactly(let wanted): wanted == scalar
        case .one: true
        case .among(let ranges): ranges.contains { $0.contains(scalar) }
        case .any, nil: false
        }
    }
}
