/// What a name with wildcards says, step by step.
///
/// Compared by Unicode scalars: to Swift an `é` of one and of two are equal, and a quote with an accent after it is no
/// quote, while the server tells them apart.
struct Wildcards: Sendable, Hashable {
    enum Step: Sendable, Hashable {
        case exactly(Unicode.Scalar)
        case one
        case among([ClosedRange<Unicode.Scalar>])
        case any
    }

    var steps: [Step] = []

    /// Whether it is the name of one thing.
    var isExact: Bool {
        steps.allSatisfy { if case .exactly = $0 { true } else { false } }
    }

    /// Whether a name is as it says.
    ///
    /// Goes back to the last ``Step/any`` when something does not fit: linear in memory, at worst quadratic in time.
    func matches(_ name: String) -> Bool {
        var steps = steps[...]
        var text = name.unicodeScalars[...]
        var retry: (steps: ArraySlice<Step>, text: Substring.UnicodeScalarView)?
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
